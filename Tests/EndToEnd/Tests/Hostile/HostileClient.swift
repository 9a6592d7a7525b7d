import Cryptography
import Foundation
import NIOCore
import NIOPosix
import SecureChannel
import TestSupport
import Testing
import TransferCommon
import WireProtocol

/// A client that may break every rule of the protocol. It sends arbitrary frames or bytes and records the answers.
struct HostileClient: Sendable {
    /// What the client has received so far.
    struct Heard: Sendable {
        /// The first frames that have arrived, at most 64. Further frames are only counted.
        var frames: [Frame] = []
        var frameCount = 0
        /// The session tokens in the received SESSION OPENED frames.
        var tokens: [[UInt8]] = []
        /// Number of received RESUME STATE frames.
        var resumedCount = 0
        /// Whether the TLS handshake is complete, or the connection uses no TLS.
        var isReady = false
        var isOver = false
        var tlsError: TLSError?

        /// The codes of the received ERROR frames.
        var codes: [ErrorCode] {
            frames.compactMap { if case .error(let report) = $0 { report.code } else { nil } }
        }
    }

    let channel: any Channel
    let heard: Watched<Heard>

    /// Connects without a TLS handshake. The gateway's TLS reads the first bytes that the test sends.
    ///
    /// - Parameter source: loopback address of the client.
    static func raw(to port: Int, from source: String) async throws -> HostileClient {
        try await connect(to: port, from: source, tls: nil)
    }

    /// Connects and completes the TLS handshake.
    ///
    /// - Parameter header: bytes before the handshake, like those of a balancer.
    static func secure(
        to port: Int, from source: String = "127.0.0.1", header: [UInt8] = [], _ tls: TLSContext
    ) async throws -> HostileClient {
        let client = try await connect(to: port, from: source, header: header, tls: tls)
        try await client.wait("the handshake") { $0.isReady || $0.isOver ? () : nil }
        return client
    }

    /// Connects and sends the start of a TLS handshake, but never reads the gateway's answer.
    static func deaf(to port: Int, from source: String, _ tls: TLSContext) async throws -> HostileClient {
        try await connect(to: port, from: source, isDeaf: true, tls: tls)
    }

    private static func connect(
        to port: Int, from source: String, header: [UInt8] = [], isDeaf: Bool = false, tls: TLSContext?
    ) async throws -> HostileClient {
        let heard = Watched(Heard(isReady: tls == nil))
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(to: SocketAddress(ipAddress: source, port: 0))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if isDeaf { try pipeline.addHandler(Deaf()) }
                    if !header.isEmpty { try pipeline.addHandler(HeaderSender(header)) }
                    if let tls { try pipeline.addHandler(try tls.makeHandler()) }
                    try pipeline.addHandler(Listener(heard))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return HostileClient(channel: channel, heard: heard)
    }

    // MARK: Sending

    func say(_ bytes: ByteBuffer) { channel.writeAndFlush(bytes, promise: nil) }

    /// Sends bytes and waits until the kernel has accepted them. Does nothing if the connection is closed.
    func sayAndWait(_ bytes: ByteBuffer) async {
        // The gateway may end the connection while these bytes are sent. Many tests expect this, so it is no error.
        try? await channel.writeAndFlush(bytes).get()
    }

    func say(_ frames: Frame..., slot: Slot = Slot(1)) throws {
        var bytes = ByteBuffer()
        for frame in frames { try frame.encode(slot: frame.type.scope == .session ? slot : .connection, into: &bytes) }
        say(bytes)
    }

    /// Makes a frame header whose values may break the protocol.
    static func header(length: UInt32, type: UInt8, flags: UInt8 = 0, slot: UInt16 = 0) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(length, type, flags, slot)
        return bytes
    }

    /// Makes PART DATA of part 1. If `plainBytes` is given, the payload is one LZ4 block.
    static func data(_ payload: [UInt8], offset: UInt64, plainBytes: UInt32? = nil, slot: UInt16 = 1) -> ByteBuffer {
        var bytes = header(
            length: UInt32(16 + payload.count), type: FrameType.partData.rawValue, flags: plainBytes == nil ? 0 : 1,
            slot: slot)
        bytes.writeMultipleIntegers(UInt32(1), offset, plainBytes ?? UInt32(payload.count))
        bytes.writeBytes(payload)
        return bytes
    }

    /// Sends HELLO and waits for WELCOME.
    func greet(as device: Fingerprint, run: UInt64) async throws {
        try say(
            .hello(
                Hello(
                    versionMin: 1, versionMax: 1, capabilities: .lz4, fingerprint: device.digest,
                    run: RunID(high: run, low: run), software: "hostile")))
        try await wait("WELCOME") { heard in
            heard.isOver || heard.frames.contains { if case .welcome = $0 { true } else { false } } ? () : nil
        }
    }

    // MARK: Receiving

    @discardableResult
    func wait<Result: Sendable>(
        _ what: String, for wanted: @escaping @Sendable (Heard) throws -> Result?
    ) async throws -> Result {
        try await withDeadline(Site.deadline, what) { try await heard.wait(for: wanted) }
    }

    /// Waits for the first frame for which `wanted` returns a value.
    func answer<Result: Sendable>(
        _ what: String, _ wanted: @escaping @Sendable (Frame) -> Result?
    ) async throws -> Result {
        try await wait(what) { heard in
            if let answer = heard.frames.lazy.compactMap(wanted).first { return answer }
            if heard.isOver { throw Over(codes: heard.codes) }
            return nil
        }
    }

    /// Waits until the gateway has closed the connection. Returns the code of its ERROR frame, if any.
    func end() async throws -> ErrorCode? {
        try await wait("the end of the connection") { $0.isOver ? $0.codes.first.map { .some($0) } ?? .some(nil) : nil }
    }

    func close() async {
        // The connection may be closed already.
        try? await channel.close().get()
    }

    /// Reports that the connection ended before the awaited answer.
    struct Over: Error {
        let codes: [ErrorCode]
    }
}

private final class Listener: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private static let framesKept = 64

    private let heard: Watched<HostileClient.Heard>
    private var decoder = FrameDecoder(receiver: .agent)

    init(_ heard: Watched<HostileClient.Heard>) {
        self.heard = heard
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSHandshakeCompleted { heard.update { $0.isReady = true } }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data))
        var frames: [Frame] = []
        do throws(WireError) {
            while case .frame(_, let frame)? = try decoder.next() { frames.append(frame) }
        } catch {
            // Stop reading after an invalid frame. The test then does not receive the answer that it expects, and
            // fails.
            context.close(promise: nil)
        }
        heard.update { heard in
            heard.frameCount += frames.count
            for frame in frames {
                switch frame {
                case .sessionOpened(let opened): heard.tokens.append(opened.token)
                case .resumeState: heard.resumedCount += 1
                default: break
                }
            }
            heard.frames += frames.prefix(max(Self.framesKept - heard.frames.count, 0))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? TLSError { heard.update { $0.tlsError = error } }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        heard.update { $0.isOver = true }
    }
}

private final class Deaf: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}

private final class HeaderSender: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let header: [UInt8]

    init(_ header: [UInt8]) {
        self.header = header
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: header)), promise: nil)
        context.fireChannelActive()
    }
}
