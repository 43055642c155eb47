/** Who may come in, and what they may do: of the broker, or of one listener in its place. With no source of names
 *  (`passwordFile`, `jwt`, `http`, certificates) everyone may come in. Sources are asked in this order: certificate,
 *  JWT, password file, HTTP; the hook `authenticate` then has the last word about who was let in. Files are read
 *  again when they change and by `broker.reload()`. */
export interface AccessOptions {
  /** Clients without user name and certificate may come in. Default: true when there is no source of names. */
  readonly anonymous?: boolean
  /** Users and their passwords, by `pipit passwd` or `mosquitto_passwd`. */
  readonly passwordFile?: string
  /** What may be published, received and subscribed to, in Mosquitto's format, or in YAML when its name ends in
   *  .yaml or .yml. Without one, everything. */
  readonly aclFile?: string
  /** What a Client Identifier has to begin with. Otherwise: CONNACK 0x87. */
  readonly clientIdPrefix?: string
  /** JSON Web Tokens, given as the password. */
  readonly jwt?: JwtOptions
  /** A service that is asked. */
  readonly http?: HttpAccessOptions
}

/** Tokens that say who a client is. */
export interface JwtOptions {
  /** The keys: a URL or a file of a JSON Web Key Set, or a PEM file of one public key. */
  readonly keys: string
  /** What `iss` has to be. */
  readonly issuer?: string
  /** What `aud` has to hold. */
  readonly audience?: string
  /** Default: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA. */
  readonly algorithms?: readonly string[]
  /** The claim that is the user name; default `sub`. */
  readonly usernameClaim?: string
  /** The claim that the Client Identifier has to match, `*` for any run of characters; default `client_id`. A
   *  token without it allows any. */
  readonly clientIdClaim?: string
  /** The claim that holds ACL rules, such as ["read a/#", "write b"]; default `acl`. A token without it leaves
   *  the ACL file in force. */
  readonly aclClaim?: string
  /** How long keys from a URL are kept, seconds; default 600. */
  readonly cacheSeconds?: number
  /** How far clocks may differ, seconds; default 5. */
  readonly toleranceSeconds?: number
}

/** A service that decides. It is sent JSON with POST; 200 is a yes, 401 and 403 are a no, anything else, or no
 *  answer in time, refuses with 0x88 and is logged. */
export interface HttpAccessOptions {
  /** Is sent {clientId, username, password, remoteAddress}; may answer {username, acl: [rules]}. */
  readonly url: string
  /** Is sent {clientId, username, access: "publish" or "subscribe", topic}; without it, the ACL file decides. */
  readonly aclUrl?: string
  /** Default 5000. */
  readonly timeoutMs?: number
  /** How long a yes or no is remembered, seconds; default 30; 0: not at all. */
  readonly cacheSeconds?: number
}
