export * as MemoryTransport from "../transport/MemoryTransport.ts"
export * as Conformance from "./Conformance.ts"
export * as TransportCompliance from "./TransportCompliance.ts"
