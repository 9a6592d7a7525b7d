import COpenSSL
import Cryptography
import NIOCore

/// The one owner of an `SSL`: one TLS connection, which reads and writes cipher text through `stream` and never waits.
///
/// Every call empties the thread's error queue before and after, so that connections do not read each other's errors.
struct SSLConnection: ~Copyable {
    /// What became of the handshake.
    enum OnHandshake {
        case complete
        case wantsMore
        case failed(TLSError)
    }

    /// How reading ended.
    enum OnRead {
        case bufferIsFull
        case wantsMore
        /// The peer said that it will send no more.
        case closed
        case failed(TLSError)
    }

    /// What became of a write, of which OpenSSL takes all or nothing.
    enum OnWrite {
        case written
        /// A message of TLS itself has arrived in part; the same bytes are to be written again when the rest is there.
        case wantsMore
        case failed(TLSError)
    }

    let stream: BufferStream

    /// Whether the handshake begins with us: on the client's side.
    let speaksFirst: Bool

    private let connection: OpaquePointer

    /// At an address of its own, because the callback for the peer's certificate knows it by that.
    private let finding: UnsafeMutablePointer<PeerVerifier.Finding>

    private static let plainBytesEstimateMin = 256
    /// What a socket brings at once. A buffer for a little more would be twice as long, since lengths are powers of
    /// two, and its bytes would look like a scrap of it to whoever keeps them.
    private static let plainBytesEstimateMax = 256 << 10

    init(_ context: borrowing SSLContext) throws(CryptographyError) {
        OpenSSLErrorQueue.clear()
        let stream = try BufferStream()
        guard let connection = SSL_new(context.context) else {
            throw CryptographyError(takingReasonFor: .makeTLSConnection)
        }
        // Each of the two takes over a reference.
        BIO_up_ref(stream.stream)
        SSL_set0_rbio(connection, stream.stream)
        BIO_up_ref(stream.stream)
        SSL_set0_wbio(connection, stream.stream)
        switch context.side {
        case .client: SSL_set_connect_state(connection)
        case .server: SSL_set_accept_state(connection)
        }
        self.finding = .allocate(capacity: 1)
        finding.initialize(to: PeerVerifier.Finding())
        SSL_set_ex_data(connection, 0, finding)
        self.stream = stream
        self.connection = connection
        self.speaksFirst = context.side == .client
    }

    /// Known once the handshake is complete.
    var peer: TLSPeer? { finding.pointee.peer }

    /// What a server showed, DER, its own first. Empty where there are too many, or one is too long to be kept.
    var peerCertificates: [[UInt8]] {
        guard let chain = SSL_get_peer_cert_chain(connection) else { return [] }
        defer { OpenSSLErrorQueue.clear() }
        let count = OPENSSL_sk_num(chain)
        guard (1...Int32(CertificateAuthority.chainCountMax)).contains(count) else { return [] }
        var certificates: [[UInt8]] = []
        for index in 0..<count {
            var encoding: UnsafeMutablePointer<UInt8>?
            guard let entry = OPENSSL_sk_value(chain, index) else { return [] }
            let length = i2d_X509(OpaquePointer(entry), &encoding)
            guard length > 0, let encoding else { return [] }
            defer { CRYPTO_free(encoding, #fileID, #line) }
            guard Int(length) <= CertificateAuthority.certificateBytesMax else { return [] }
            certificates.append(Array(UnsafeBufferPointer(start: encoding, count: Int(length))))
        }
        return certificates
    }

    /// Whether there is anything left that `read` could make something of.
    var hasUnread: Bool { stream.inboundByteCount > 0 || SSL_pending(connection) > 0 }

    /// At least as much room as the plain bytes need that `read` can give out now, where the peer does not pad.
    var plainBytesEstimate: Int {
        let byteCount = stream.inboundByteCount + stream.readByteCount + Int(SSL_pending(connection))
        return min(max(byteCount, Self.plainBytesEstimateMin), Self.plainBytesEstimateMax)
    }

    /// Goes on with the handshake as far as the peer's bytes reach.
    func shakeHands() -> OnHandshake {
        OpenSSLErrorQueue.clear()
        let result = SSL_do_handshake(connection)
        guard result != 1 else {
            stream.forgetReadByteCount()
            return Self.hasChosenProtocol(connection) ? .complete : .failed(TLSError(.applicationProtocol))
        }
        return wantsMore(after: result) ? .wantsMore : .failed(failure())
    }

    /// Fills the writable bytes of a buffer as far as the peer's bytes reach.
    func read(into buffer: inout ByteBuffer) -> OnRead {
        while buffer.writableBytes > 0 {
            OpenSSLErrorQueue.clear()
            var result: Int32 = 0
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 1) { space in
                var byteCount = 0
                result = SSL_read_ex(connection, space.baseAddress, space.count, &byteCount)
                return result == 1 ? byteCount : 0
            }
            guard result != 1 else {
                if SSL_pending(connection) == 0 { stream.forgetReadByteCount() }
                continue
            }
            if SSL_get_error(connection, result) == SSL_ERROR_ZERO_RETURN { return .closed }
            return wantsMore(after: result) ? .wantsMore : .failed(failure())
        }
        return .bufferIsFull
    }

    /// Encrypts into the stream, in records of 16 KiB and a shorter last one.
    /// - Parameter bytes: not empty.
    func write(_ bytes: UnsafeRawBufferPointer) -> OnWrite {
        OpenSSLErrorQueue.clear()
        var byteCount = 0
        let result = SSL_write_ex(connection, bytes.baseAddress, bytes.count, &byteCount)
        guard result != 1 else { return .written }
        return wantsMore(after: result) ? .wantsMore : .failed(failure())
    }

    /// Nothing can be written after this. Called once, after the handshake and where nothing has failed.
    func sendCloseNotify() {
        OpenSSLErrorQueue.clear()
        // Whether the peer has said the same shows when reading.
        _ = SSL_shutdown(connection)
        OpenSSLErrorQueue.clear()
    }

    private func wantsMore(after result: Int32) -> Bool {
        SSL_get_error(connection, result) == SSL_ERROR_WANT_READ
    }

    private func failure() -> TLSError {
        TLSError(takingQueueAfter: finding.pointee)
    }

    deinit {
        SSL_free(connection)
        finding.deinitialize(count: 1)
        finding.deallocate()
    }
}

// What OpenSSL calls, through the callbacks of `SSLContext`.

extension SSLConnection {
    /// The peer's certificate has arrived. By now a server has told which protocol it chose.
    static func verify(_ connection: OpaquePointer, store: OpaquePointer, with verifier: PeerVerifier) -> Bool {
        guard let finding = finding(of: connection) else { return false }
        guard hasChosenProtocol(connection) else {
            finding.pointee = PeerVerifier.Finding(refusal: .applicationProtocol)
            X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
            return false
        }
        finding.pointee = verifier.verify(store)
        return finding.pointee.peer != nil
    }

    /// Whether a client that could speak TLS 1.3 asks for no application protocol. One that could not is refused for
    /// that, later.
    static func isWithoutProtocol(_ connection: OpaquePointer) -> Bool {
        let isWithout =
            hasExtension(connection, TLSEXT_TYPE_supported_versions)
            && !hasExtension(connection, TLSEXT_TYPE_application_layer_protocol_negotiation)
        if isWithout { finding(of: connection)?.pointee.refusal = .applicationProtocol }
        return isWithout
    }

    private static func hasExtension(_ connection: OpaquePointer, _ type: Int32) -> Bool {
        var (content, byteCount): (UnsafePointer<UInt8>?, Int) = (nil, 0)
        return SSL_client_hello_get0_ext(connection, UInt32(type), &content, &byteCount) == 1
    }

    private static func hasChosenProtocol(_ connection: OpaquePointer) -> Bool {
        var (name, byteCount): (UnsafePointer<UInt8>?, UInt32) = (nil, 0)
        SSL_get0_alpn_selected(connection, &name, &byteCount)
        return UnsafeBufferPointer(start: name, count: Int(byteCount)).elementsEqual(ApplicationProtocol.name)
    }

    private static func finding(of connection: OpaquePointer) -> UnsafeMutablePointer<PeerVerifier.Finding>? {
        SSL_get_ex_data(connection, 0)?.assumingMemoryBound(to: PeerVerifier.Finding.self)
    }
}
