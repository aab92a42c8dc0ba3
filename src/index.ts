export {
  Agent,
  AgentResource,
  AgentSkill,
  AgentTool,
  AgentWindow,
  BlobDownload,
  Catalog,
  connectAgent,
  OfficeEvent,
  ToolOutcome,
  Upload
} from "./agent/index.ts"
export type { ConnectedAgent, ConnectOptions, SignalOptions, UploadOptions } from "./agent/index.ts"
export {
  AuditLog,
  Authorization,
  AuthorizationError,
  Blobs,
  CallHistory,
  ClientHandlers,
  Computer,
  ConfigFile,
  Consent,
  Desktop,
  Host,
  HttpAuthorization,
  Inputs,
  McpClient,
  McpConnector,
  McpError,
  McpManager,
  Resources,
  ResultTransform,
  ServerEntry,
  TokenStore,
  ToolCalls,
  ToolRegistry,
  Uploads
} from "./computer/index.ts"
export type { CallOutcome, CallRecord, McpTransport } from "./computer/index.ts"
export { PROTOCOL_VERSION } from "./protocol/index.ts"
export * as Protocol from "./protocol/index.ts"
export { Authenticator, HttpServer, Server, SessionStore, SocketIoServer } from "./server/index.ts"
export * as Membership from "./transport/Membership.ts"
export * as MemoryTransport from "./transport/MemoryTransport.ts"
export * as ServerTransport from "./transport/ServerTransport.ts"
export * as SocketIoServerTransport from "./transport/SocketIoServerTransport.ts"
export * as SocketIoTransport from "./transport/SocketIoTransport.ts"
export * as Transport from "./transport/Transport.ts"
