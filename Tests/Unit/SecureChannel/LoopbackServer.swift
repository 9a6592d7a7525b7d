import NIOCore
import NIOPosix
import SecureChannel
import TestSupport

/// What the application at one end saw of its connection.
struct Conversation: Sendable {
    var peer: TLSPeer?
    var received: [UInt8] = []
    var error: TLSError?
    var isOver = false
}

/// An application on a real socket that records what it receives and answers once.
final class Interlocutor: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let conversation: Watched<Conversation>
    private let opening: ByteBuffer?
    private let answer: (_ received: [UInt8]) -> ByteBuffer?
    private var received: [UInt8] = []

    /// - Parameters:
    ///   - opening: bytes to send after the handshake.
    ///   - answer: called after every read. After its first non-nil answer the application closes the connection.
    init(
        _ conversation: Watched<Conversation>, opening: ByteBuffer? = nil,
        answer: @escaping (_ received: [UInt8]) -> ByteBuffer?
    ) {
        self.conversation = conversation
        self.opening = opening
        self.answer = answer
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let handshake = event as? TLSHandshakeCompleted else { return }
        conversation.update { $0.peer = handshake.peer }
        if let opening { context.writeAndFlush(wrapOutboundOut(opening), promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        received += bytes.readableBytesView
        conversation.update { $0.received += bytes.readableBytesView }
        guard let answer = answer(received) else { return }
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The first error is the cause. A reset that follows it must not replace it.
        if let error = error as? TLSError { conversation.update { $0.error = $0.error ?? error } }
    }

    func channelInactive(context: ChannelHandlerContext) {
        conversation.update { $0.isOver = true }
    }
}

/// A handler between the socket and TLS that splits incoming bytes into pieces of a fixed size.
final class PieceMaker: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let pieceBytes: Int

    init(pieceBytes: Int) {
        self.pieceBytes = pieceBytes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        while let piece = bytes.readSlice(length: min(pieceBytes, bytes.readableBytes)), piece.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(piece))
        }
    }
}

/// Runs `body` with a TLS gateway that listens on a free loopback port.
///
/// - Parameter pieceBytes: size of the pieces in which TLS receives the incoming bytes.
func withLoopbackServer(
    _ context: TLSContext, conversation: Watched<Conversation>, pieceBytes: Int = .max,
    answer: @escaping @Sendable (_ received: [UInt8]) -> ByteBuffer?, _ body: (_ port: Int) async throws -> Void
) async throws {
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers([
                    PieceMaker(pieceBytes: pieceBytes), try context.makeHandler(),
                    Interlocutor(conversation, answer: answer),
                ])
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    let result: Result<Void, any Error>
    do {
        result = .success(try await body(listener.localAddress?.port ?? 0))
    } catch {
        result = .failure(error)
    }
    try await listener.close()
    try result.get()
}

/// Connects a TLS agent to a loopback port.
func connectToLoopback(
    _ port: Int, _ context: TLSContext, conversation: Watched<Conversation>, pieceBytes: Int = .max,
    opening: ByteBuffer? = nil,
    answer: @escaping @Sendable (_ received: [UInt8]) -> ByteBuffer? = { _ in nil }
) async throws {
    _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers([
                    PieceMaker(pieceBytes: pieceBytes), try context.makeHandler(),
                    Interlocutor(conversation, opening: opening, answer: answer),
                ])
            }
        }
        .connect(host: "127.0.0.1", port: port).get()
}

extension Watched<Conversation> {
    /// Waits for the end of the connection.
    func end() async throws -> Conversation {
        try await withDeadline(.seconds(120), "the connection to end") { try await self.wait { $0.isOver ? $0 : nil } }
    }
}
