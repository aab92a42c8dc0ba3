/**
 * How public an IP address is. Metadata of a server names hosts; where those are decides whether they are asked at all.
 */
import { BlockList, isIP } from "node:net"

/**
 * - `forbidden`: never asked. Link-local addresses, where clouds keep the credentials of their machines, and what is no
 *   address of a host.
 * - `loopback`, `private`, `public`: as they are reached.
 */
export type Reach = "forbidden" | "loopback" | "private" | "public"

/** The reach of an IPv4 or IPv6 address; an IPv4 address inside an IPv6 one counts as itself. */
export const reachOf = (address: string): Reach => {
  const bare = address.replace(/%.*$/, "")
  const version = isIP(bare)
  if (version === 0) return "forbidden"
  const family = version === 4 ? "ipv4" : "ipv6"
  if (forbidden.check(bare, family)) return "forbidden"
  if (loopback.check(bare, family)) return "loopback"
  return privates.check(bare, family) ? "private" : "public"
}

/** IPv6 prefixes with an IPv4 address at their end: mapped, compatible, translated (RFC 4291, RFC 6052). */
const EMBEDDING = ["::ffff:", "::", "64:ff9b::"]

const listOf = (
  v4: ReadonlyArray<readonly [string, number]>,
  v6: ReadonlyArray<readonly [string, number]>
): BlockList => {
  const list = new BlockList()
  for (const [network, prefix] of v4) {
    list.addSubnet(network, prefix, "ipv4")
    for (const before of EMBEDDING) list.addSubnet(`${before}${network}`, 96 + prefix, "ipv6")
  }
  for (const [network, prefix] of v6) list.addSubnet(network, prefix, "ipv6")
  return list
}

const loopback = listOf([["127.0.0.0", 8]], [["::1", 128]])

const forbidden = listOf([
  ["169.254.0.0", 16],
  // a cloud's metadata service that is not link-local
  ["100.100.100.200", 32],
  ["192.0.0.192", 32],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4]
], [
  ["::", 128],
  ["fe80::", 10],
  ["fec0::", 10],
  ["fd00:ec2::254", 128],
  ["ff00::", 8],
  // tunnels that may end anywhere (6to4, Teredo, local translation)
  ["2002::", 16],
  ["2001::", 32],
  ["64:ff9b:1::", 48]
])
// 0.0.0.0/8, apart from the above: `::0.0.0.0/104` would hold `::1`
forbidden.addSubnet("0.0.0.0", 8, "ipv4")
forbidden.addSubnet("::ffff:0.0.0.0", 104, "ipv6")

const privates = listOf([
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15]
], [["fc00::", 7]])
