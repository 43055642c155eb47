/** By code of Node or OpenSSL: what went wrong in a handshake, said of the client. */
const HANDSHAKE: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS, which this port does (plain MQTT to a TLS port?)',
  ERR_SSL_UNKNOWN_PROTOCOL: 'it does not speak TLS, which this port does (plain MQTT to a TLS port?)',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS, which this port does (plain MQTT to a TLS port?)',
  ERR_SSL_HTTP_REQUEST: 'it speaks plain HTTP to a port that speaks TLS',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'it speaks plain HTTP to a port that speaks TLS',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it speaks no version of TLS that is allowed here',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it takes no version of TLS that is allowed here',
  ERR_SSL_NO_SHARED_CIPHER: 'it has no cipher in common with this listener',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'it asks for another protocol than MQTT (ALPN)',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA:
    "it does not know the authority of the broker's certificate (its --cafile?)",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "it says that the broker's certificate has expired",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "it does not accept the broker's certificate (another host name?)",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: "it does not accept the broker's certificate (another host name?)",
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: "it does not accept the broker's certificate (another host name?)",
  ERR_SSL_PSK_IDENTITY_NOT_FOUND: 'its pre-shared key has an unknown identity',
  ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: 'its pre-shared key is wrong, or its bytes were changed',
  ERR_SSL_BAD_RECORD_TYPE: 'it stopped speaking TLS',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'its TLS handshake was not done in time',
}

/** A handshake that failed, in words; undefined when the client just went away. */
export function describeTlsFault(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ECONNRESET' || code === 'EPIPE') return undefined
  return `closed: ${HANDSHAKE[code ?? ''] ?? `its TLS handshake failed: ${error.message}`}`
}

/** By OpenSSL's name: why a client certificate will not do. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
  CERT_REVOKED: 'is revoked',
  UNABLE_TO_GET_ISSUER_CERT: 'is of an authority that is not known here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'is of an authority that is not known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'is of an authority that is not known here',
  SELF_SIGNED_CERT_IN_CHAIN: 'is of an authority that is not known here',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is signed by nobody but itself',
  CERT_SIGNATURE_FAILURE: 'has a wrong signature',
  UNABLE_TO_GET_CRL: 'cannot be checked: there is no list of revoked certificates of its authority',
  CRL_HAS_EXPIRED: 'cannot be checked: the list of revoked certificates has expired',
  CRL_NOT_YET_VALID: 'cannot be checked: the list of revoked certificates is not valid yet',
  INVALID_PURPOSE: 'is not meant for clients',
}

/** Why a client certificate is refused, in words. */
export function describeVerifyFault(code: string, subject: string): string {
  const what = CERTIFICATE[code] ?? `will not do (${code})`
  return `its certificate (${subject.replaceAll('\n', ', ')}) ${what}`
}
