export * as MemoryTransport from "../transport/MemoryTransport.ts"
export * as TransportCompliance from "./TransportCompliance.ts"
