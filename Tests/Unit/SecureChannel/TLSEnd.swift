import NIOCore
import NIOEmbedded
import SecureChannel

/// One end of an in-memory connection: a channel with a TLS handler between a wire and an application.
final class TLSEnd {
    let channel = EmbeddedChannel()
    let application: Application
    let wire = WireEnd()

    /// - Parameter readsByItself: whether the application always reads, as with `autoRead`. Otherwise it reads when a
    ///   test calls `read`.
    init(_ context: TLSContext, readsByItself: Bool = true) throws {
        application = Application(readsByItself: readsByItself)
        try channel.pipeline.syncOperations.addHandlers([wire, try context.makeHandler(), application])
    }

    func connect() throws {
        // An embedded channel accepts any address.
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    /// Takes the cipher text that the handler has sent since the last call, in one buffer.
    func takeSent() throws -> ByteBuffer {
        var bytes = ByteBuffer()
        while var next = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&next) }
        return bytes
    }

    /// Delivers cipher text, followed by the end of the read.
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
        // A channel must be closed before it is released, and a regular close would wait for the peer's close_notify.
        wire.hangUp()
        run()
    }
}

/// Records what the TLS handler asks of its channel.
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

    /// `EmbeddedChannel` would close both directions, so this handler only records the close of the output.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output {
            isOutputClosed = true
            promise?.succeed()
        } else {
            isClosed = true
            context.close(mode: mode, promise: promise)
        }
    }

    /// Closes the connection, as if the peer's host had done so.
    func hangUp() {
        context?.close(promise: nil)
    }

    /// Ends the input, as if the peer had closed its direction of the connection.
    func endInput() {
        context?.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }
}

/// Records the events that reach the handlers behind TLS, in order.
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
