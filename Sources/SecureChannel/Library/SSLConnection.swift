import COpenSSL
import Cryptography
import NIOCore

/// Owns one `SSL` of OpenSSL and frees it: a TLS connection that reads and writes cipher text through `stream` and
/// never blocks.
///
/// Every method empties the thread's error queue before and after its work, so that a connection never reads errors of
/// another one.
struct SSLConnection: ~Copyable {
    /// The result of continuing the handshake.
    enum OnHandshake {
        case complete
        case wantsMore
        case failed(TLSError)
    }

    /// Why reading stopped.
    enum OnRead {
        case bufferIsFull
        case wantsMore
        /// The peer has sent `close_notify`.
        case closed
        case failed(TLSError)
    }

    /// The result of a write. OpenSSL accepts all of the bytes or none.
    enum OnWrite {
        case written
        /// OpenSSL has accepted nothing, because only a part of one of the peer's TLS messages has arrived. When the
        /// rest has arrived, the same bytes have to be written again.
        case wantsMore
        case failed(TLSError)
    }

    let stream: BufferStream

    /// Whether this side sends the first message of the handshake, as an agent does.
    let speaksFirst: Bool

    private let connection: OpaquePointer

    /// Allocated separately, because the callback for the peer's certificate needs a stable address.
    private let finding: UnsafeMutablePointer<PeerVerifier.Finding>

    private static let plainBytesEstimateMin = 256
    /// The upper limit of `plainBytesEstimate` is the number of bytes that one read of the socket returns. The capacity
    /// of a buffer is rounded up to a power of two. A slightly larger buffer would therefore be twice as long, and code
    /// that keeps its bytes would keep a buffer that is half empty.
    private static let plainBytesEstimateMax = 256 << 10

    init(_ context: borrowing SSLContext) throws(CryptographyError) {
        OpenSSLErrorQueue.clear()
        let stream = try BufferStream()
        guard let connection = SSL_new(context.context) else {
            throw CryptographyError(takingReasonFor: .makeTLSConnection)
        }
        // The two calls of OpenSSL each take over one reference to the stream, so add one reference for each.
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

    /// The verified peer; `nil` before the handshake is complete.
    var peer: TLSPeer? { finding.pointee.peer }

    /// The certificates that the server presented, in DER, its own first. Empty if there are too many of them or one is
    /// too long.
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

    /// Whether bytes have arrived that `read` has not returned yet.
    var hasUnread: Bool { stream.inboundByteCount > 0 || SSL_pending(connection) > 0 }

    /// Length of a buffer that suffices for the plain bytes that `read` can return now, within a lower and an upper
    /// limit.
    var plainBytesEstimate: Int {
        let byteCount = stream.inboundByteCount + stream.readByteCount + Int(SSL_pending(connection))
        return min(max(byteCount, Self.plainBytesEstimateMin), Self.plainBytesEstimateMax)
    }

    /// Continues the handshake with the bytes that have arrived.
    func shakeHands() -> OnHandshake {
        OpenSSLErrorQueue.clear()
        let result = SSL_do_handshake(connection)
        guard result != 1 else {
            stream.forgetReadByteCount()
            return Self.hasChosenProtocol(connection) ? .complete : .failed(TLSError(.applicationProtocol))
        }
        return wantsMore(after: result) ? .wantsMore : .failed(failure())
    }

    /// Decrypts the bytes that have arrived into the writable bytes of a buffer.
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

    /// Encrypts bytes and writes them to the stream, in records of 16 KiB and a shorter last record.
    /// - Parameter bytes: not empty.
    func write(_ bytes: UnsafeRawBufferPointer) -> OnWrite {
        OpenSSLErrorQueue.clear()
        var byteCount = 0
        let result = SSL_write_ex(connection, bytes.baseAddress, bytes.count, &byteCount)
        guard result != 1 else { return .written }
        return wantsMore(after: result) ? .wantsMore : .failed(failure())
    }

    /// Writes `close_notify` to the stream. Nothing can be written after it. To be called once, after the handshake,
    /// and only if nothing has failed.
    func sendCloseNotify() {
        OpenSSLErrorQueue.clear()
        // Ignore the result: it only says whether the peer's `close_notify` has arrived, and `read` finds that out.
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

// The functions that OpenSSL calls, through the callbacks of `SSLContext`, during a handshake.

extension SSLConnection {
    /// Verifies the peer's certificate. First checks that both sides have agreed on the application protocol: by this
    /// time a server has sent its choice.
    ///
    /// - Returns: whether the peer is accepted.
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

    /// Whether a client offers TLS 1.3 but does not ask for an application protocol. A client without TLS 1.3 does not
    /// count, because it is refused later for its version.
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
