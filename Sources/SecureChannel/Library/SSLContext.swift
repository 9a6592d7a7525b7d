import COpenSSL
import Cryptography

/// Owns one `SSL_CTX` of OpenSSL and frees it: the settings of all connections of a gateway or an agent.
///
/// Both sides must use TLS 1.3 and ALPN and present a certificate. Tickets, early data, renegotiation and compression
/// are off.
///
/// `@unchecked Sendable` because the context never changes after it was made, and OpenSSL counts its references
/// atomically.
struct SSLContext: ~Copyable, @unchecked Sendable {
    /// Pointer to the `SSL_CTX`. It is valid for as long as this value lives. An OpenSSL function that keeps the
    /// pointer takes a reference of its own.
    let context: OpaquePointer

    /// The side of the handshake that connections with this context take.
    enum Side: Sendable {
        case client
        case server
    }

    let side: Side

    /// Maximum length of a peer's chain. It is low, because the chains of devices and gateways are short, and a peer is
    /// not yet authenticated while its chain is read.
    private static let certificateBytesMax = 32 * 1024

    /// The ciphers, the fastest first. No weakness is known in any of them, so speed decides. ChaCha20 is the fastest
    /// on machines without AES instructions; a FIPS provider does not have it.
    private static let ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

    /// Makes a context with all settings.
    ///
    /// - Parameters:
    ///   - verifier: verifies the peers. The caller has to keep it for as long as the context exists, because OpenSSL
    ///     holds only its address.
    ///   - authority: the authority that the peers' chains must lead to; `nil` if no chains are verified.
    static func make(
        side: Side, identity: Identity, verifier: PeerVerifier, authority: CertificateAuthority?
    ) throws(CryptographyError) -> SSLContext {
        let context = try SSLContext(side: side)
        try context.configure()
        try context.use(identity)
        context.verify(with: verifier)
        if let authority { try context.believe(authority) }
        try context.agreeOnApplicationProtocol()
        return context
    }

    private init(side: Side) throws(CryptographyError) {
        OpenSSLErrorQueue.clear()
        guard let context = SSL_CTX_new(side == .server ? TLS_server_method() : TLS_client_method()) else {
            throw CryptographyError(takingReasonFor: .makeTLSContext)
        }
        self.context = context
        self.side = side
    }

    private func configure() throws(CryptographyError) {
        guard SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_3_VERSION), nil) == 1,
            SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_3_VERSION), nil) == 1,
            SSL_CTX_set_ciphersuites(context, Self.ciphers) == 1,
            SSL_CTX_set_num_tickets(context, 0) == 1,
            SSL_CTX_set_max_early_data(context, 0) == 1
        else { throw CryptographyError(takingReasonFor: .makeTLSContext) }
        SSL_CTX_set_options(context, sluice_SSL_OP_nothing_optional())
        SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_CERT_LIST, Self.certificateBytesMax, nil)
        // RELEASE_BUFFERS: an idle connection keeps no buffers for records. This saves memory, because many connections
        // may be idle. NO_AUTO_CHAIN: present exactly the certificates in the identity's file; OpenSSL must not add
        // certificates of the authority.
        SSL_CTX_ctrl(context, SSL_CTRL_MODE, Int(SSL_MODE_RELEASE_BUFFERS) | Int(SSL_MODE_NO_AUTO_CHAIN), nil)
    }

    private func use(_ identity: Identity) throws(CryptographyError) {
        guard SSL_CTX_use_certificate(context, identity.certificate.certificate) == 1,
            SSL_CTX_use_PrivateKey(context, identity.privateKey.key) == 1,
            SSL_CTX_check_private_key(context) == 1
        else { throw CryptographyError(takingReasonFor: .makeTLSContext) }
        for certificate in identity.intermediates {
            guard SSL_CTX_ctrl(context, SSL_CTRL_CHAIN_CERT, 1, UnsafeMutableRawPointer(certificate)) == 1 else {
                throw CryptographyError(takingReasonFor: .makeTLSContext)
            }
        }
    }

    private func believe(_ authority: CertificateAuthority) throws(CryptographyError) {
        guard let store = SSL_CTX_get_cert_store(context), authority.fill(store) else {
            throw CryptographyError(takingReasonFor: .loadAuthority)
        }
    }

    /// Makes OpenSSL call `verifier` instead of its own verification, which would refuse every self-signed certificate.
    private func verify(with verifier: PeerVerifier) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        SSL_CTX_set_cert_verify_callback(
            context,
            { store, verifier in
                guard let store, let verifier,
                    let connection = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())
                else { return 0 }
                let peerVerifier = Unmanaged<PeerVerifier>.fromOpaque(verifier).takeUnretainedValue()
                return SSLConnection.verify(OpaquePointer(connection), store: store, with: peerVerifier) ? 1 : 0
            }, Unmanaged.passUnretained(verifier).toOpaque())
    }

    private func agreeOnApplicationProtocol() throws(CryptographyError) {
        switch side {
        case .client:
            let list = ApplicationProtocol.list
            // Unlike most functions of OpenSSL, this one returns 0 for success.
            guard SSL_CTX_set_alpn_protos(context, list, UInt32(list.count)) == 0 else {
                throw CryptographyError(takingReasonFor: .makeTLSContext)
            }
        case .server:
            SSL_CTX_set_options(context, sluice_SSL_OP_server_chooses_cipher())
            SSL_CTX_set_alpn_select_cb(
                context,
                { _, chosen, chosenByteCount, offered, offeredByteCount, _ in
                    guard let chosen, let chosenByteCount, let offered,
                        let range = ApplicationProtocol.find(
                            in: UnsafeBufferPointer(start: offered, count: Int(offeredByteCount)))
                    else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                    chosen.pointee = offered + range.lowerBound
                    chosenByteCount.pointee = UInt8(range.count)
                    return SSL_TLSEXT_ERR_OK
                }, nil)
            // OpenSSL does not call the ALPN callback for a client that asks for no protocol. This callback refuses
            // such a client.
            SSL_CTX_set_client_hello_cb(
                context,
                { connection, alert, _ in
                    guard let connection, !SSLConnection.isWithoutProtocol(connection) else {
                        alert?.pointee = SSL_AD_NO_APPLICATION_PROTOCOL
                        return SSL_CLIENT_HELLO_ERROR
                    }
                    return SSL_CLIENT_HELLO_SUCCESS
                }, nil)
        }
    }

    deinit {
        SSL_CTX_free(context)
    }
}

/// The only protocol that both sides accept in ALPN (RFC 7301).
enum ApplicationProtocol {
    static let name = Array(TLSContext.applicationProtocol.utf8)

    /// The list that a client offers. In it the length of a name precedes the name.
    static let list = [UInt8(name.count)] + name

    /// The position of the name in a client's list; `nil` if the list does not contain it or is malformed.
    static func find(in offered: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        var start = 0
        while start < offered.count {
            let end = start + 1 + Int(offered[start])
            guard end <= offered.count else { return nil }
            if offered[(start + 1)..<end].elementsEqual(name) { return (start + 1)..<end }
            start = end
        }
        return nil
    }
}
