import NIOCore
import NIOEmbedded
import SecureChannel

/// One end of a connection that exists in memory only: a channel with a TLS handler between a wire and an application.
final class TLSEnd {
    let channel = EmbeddedChannel()
    let application: Application
    let wire = WireEnd()

    /// - Parameter readsByItself: as with `autoRead`; if not, the application reads when a test calls `read`.
    init(_ context: TLSContext, readsByItself: Bool = true) throws {
        application = Application(readsByItself: readsByItself)
        try channel.pipeline.syncOperations.addHandlers([wire, try context.makeHandler(), application])
    }

    func connect() throws {
        // An embedded channel takes any address for connected.
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    /// Cipher text that the handler has sent since the last call, in one buffer.
    func takeSent() throws -> ByteBuffer {
        var bytes = ByteBuffer()
        while var next = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&next) }
        return bytes
    }

    /// Cipher text arrives, and the socket has no more for now.
    func receive(_ bytes: ByteBuffer) throws {
        try channel.writeInbound(bytes)
    }

    func send(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
        channel.writeAndFlush(bytes, promise: promise)
    }

    func send(_ text: String) {
        send(ByteBuffer(string: text))
    }

    func run() {
        channel.embeddedEventLoop.run()
    }

    deinit {
        // An open channel may not be forgotten, and closing it the usual way would wait for the other end's goodbye.
        wire.hangUp()
        run()
    }
}

/// What the TLS handler's channel is asked to do, seen from the wire.
final class WireEnd: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private(set) var readCount = 0
    private(set) var isOutputClosed = false
    private(set) var isClosed = false
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        readCount += 1
        context.read()
    }

    /// An embedded channel would close as a whole.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output {
            isOutputClosed = true
            promise?.succeed()
        } else {
            isClosed = true
            context.close(mode: mode, promise: promise)
        }
    }

    /// The connection is gone, as when the peer's machine closes it.
    func hangUp() {
        context?.close(promise: nil)
    }

    /// The peer has ended its direction.
    func endInput() {
        context?.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }
}

/// What the handlers behind TLS see, in order.
final class Application: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    enum Event: Equatable {
        case active
        case handshake(TLSPeer)
        case bytes
        case readComplete
        case inputClosed
        case error(TLSError)
        case inactive
    }

    private(set) var received = ByteBuffer()
    private(set) var readCount = 0
    private(set) var events: [Event] = []
    private let readsByItself: Bool

    init(readsByItself: Bool) {
        self.readsByItself = readsByItself
    }

    var peer: TLSPeer? {
        events.compactMap { if case .handshake(let peer) = $0 { peer } else { nil } }.first
    }

    var errors: [TLSError] {
        events.compactMap { if case .error(let error) = $0 { error } else { nil } }
    }

    var text: String { String(buffer: received) }

    func channelActive(context: ChannelHandlerContext) {
        events.append(.active)
        if readsByItself { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        readCount += 1
        if events.last != .bytes { events.append(.bytes) }
        received.writeImmutableBuffer(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if events.last != .readComplete { events.append(.readComplete) }
        if readsByItself { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as TLSHandshakeCompleted: events.append(.handshake(event.peer))
        case ChannelEvent.inputClosed: events.append(.inputClosed)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? TLSError {
            events.append(.error(error))
        } else {
            context.fireErrorCaught(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        events.append(.inactive)
    }
}
