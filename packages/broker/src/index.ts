export type { AuditOptions } from './audit/audit.ts'
export type { AccessOptions, HttpAccessOptions, JwtOptions } from './auth/access-options.ts'
export type { Acl, AclAction, AclDecision, AclRule, AclSubject, AclVerb } from './auth/acl.ts'
export { AclError, readAcl } from './auth/acl-file.ts'
export type {
  Access,
  Authenticate,
  AuthenticationResult,
  Authorize,
  ConnectRequest,
} from './auth/authenticate.ts'
export type {
  AuthenticationExchange,
  AuthenticationRequest,
  AuthenticationStep,
  Authenticator,
} from './auth/authenticator.ts'
export {
  type PasswordEntry,
  type PasswordFile,
  parsePasswordFile,
  withUser,
} from './auth/password-file.ts'
export { hashPassword, type PasswordForm, type PasswordHash, verifyPassword } from './auth/password-hash.ts'
export { type ScramCredentials, type ScramOptions, ScramSha256, scramCredentials } from './auth/scram.ts'
export { Broker, type Logger } from './broker.ts'
export {
  ConfigurationError,
  merged,
  type OptionValue,
  type Setting,
  type Settings,
  settingsFromEnvironment,
  settingsFromText,
} from './config/check.ts'
export {
  type Changes,
  type Configuration,
  changesBetween,
  configurationOf,
  type ListenerConfiguration,
  type LogConfiguration,
  type ProgramConfiguration,
} from './config/configuration.ts'
export { settingsFromYaml } from './config/file.ts'
export { ConfiguredListeners } from './configured-listeners.ts'
export type { HookClient, HookMessage, Hooks, PublishVerdict, Refusal, SubscribeVerdict } from './hooks.ts'
export type { ListenerRules } from './listeners/rules.ts'
export type { Accept, ByteStream, Listener, StreamOwner } from './listeners/stream.ts'
export type { TcpListenOptions } from './listeners/tcp.ts'
export type { TlsCertificate, TlsOptions, TlsVersion } from './listeners/tls-options.ts'
export type { WebSocketListenOptions } from './listeners/websocket.ts'
export type { LocalMessage, LocalSubscribeOptions, LocalSubscription } from './local.ts'
export type { ClientInfo } from './metrics/clients.ts'
export type { Figures } from './metrics/figures.ts'
export type { DropReason, Loss } from './metrics/ledger.ts'
export type { MosquittoDocument, MosquittoHost } from './mosquitto/document.ts'
export { fromMosquitto } from './mosquitto/from-mosquitto.ts'
export type { MosquittoFile, ReadFolder } from './mosquitto/lines.ts'
export { MOSQUITTO_OPTIONS, type MosquittoOption } from './mosquitto/option-table.ts'
export { type BrokerOptions, DEFAULT_LIMITS, type Limits } from './options.ts'
export type { SharedStrategy } from './routing/shared.ts'
export type { OverflowPolicy } from './sessions/session.ts'
export { StorageError } from './storage/engine.ts'
export type { Durability } from './storage/journal.ts'
export {
  checkStore,
  compactStore,
  exportStore,
  importStore,
  type Progress,
  type StoreReport,
} from './storage/tools.ts'
