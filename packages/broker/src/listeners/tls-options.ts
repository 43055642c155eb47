/** A certificate and its key: names of PEM files, or PEM text itself. */
export interface TlsCertificate {
  /** The server's certificate, followed by those between it and its authority. */
  readonly certificate: string
  readonly key: string
  /** Of an encrypted key. */
  readonly passphrase?: string
}

/** The oldest or newest version of TLS that is spoken. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** How a listener speaks TLS. Files are read again when they change and by `broker.reload()`; connections stay. */
export interface TlsOptions extends Partial<TlsCertificate> {
  /** Further certificates, chosen by the name that a client asks for (SNI); each stands for the names in it. */
  readonly certificates?: readonly TlsCertificate[]
  /** Authorities of client certificates: a PEM file or PEM text. */
  readonly ca?: string
  /** A folder of such files: all that end in .crt, .pem, .cer or .0. */
  readonly caFolder?: string
  /** Clients have to show a certificate that one of the authorities signed; default false. */
  readonly requireCertificate?: boolean
  /** The common name of the client's certificate, or the identity of its pre-shared key, is its user name; no
   *  password is asked for. Default false. */
  readonly identityAsUsername?: boolean
  /** As `identityAsUsername`, with the whole subject as RFC 2253 writes it: `CN=a,O=b`. Default false. */
  readonly subjectAsUsername?: boolean
  /** Revoked certificates: a PEM file or PEM text; every authority needs its list. */
  readonly crl?: string
  /** Default TLSv1.2. */
  readonly minimumVersion?: TlsVersion
  /** Default TLSv1.3. */
  readonly maximumVersion?: TlsVersion
  /** As OpenSSL names them, for TLS 1.2 and, beginning with `TLS_`, for TLS 1.3; default Node's. */
  readonly ciphers?: string
  /** Diffie-Hellman parameters: a PEM file, PEM text, or `auto`. */
  readonly dhParameters?: string
  /** Pre-shared keys, TLS 1.2: a file of lines IDENTITY:KEY, the key in hexadecimal. */
  readonly pskFile?: string
  /** Told to clients that ask which of their keys to use. */
  readonly pskHint?: string
  /** How long a handshake may take, milliseconds; default 10000. */
  readonly handshakeTimeoutMs?: number
}
