import NIOCore

/// Holds back a new connection's handshake until the lists of devices and invitations are up to date, and until the
/// budget has room for a handshake.
///
/// The handshake asks whether the device is on the list, and whether an invitation is open. The handshake has to see
/// every entry that was on the lists before the device connected. Other threads read the lists, so the gate reads
/// nothing from the socket until they are done. Then the gate waits for the peer's first bytes: a silent peer costs no
/// handshake. It keeps these bytes until `HandshakeQueue` lets the peer begin, passes them on, and removes
/// itself.
final class ReadGate: ChannelInboundHandler, ChannelOutboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private enum State {
        /// The lists of devices and invitations are being read.
        case refreshing
        case listening
        /// The peer waits for its turn. The bytes are what it has sent.
        case queued(HandshakeBudget.Ticket, ByteBuffer)
        case open
    }

    private let shell: GatewayShell
    /// `nil` on plain TCP, where there are no handshakes.
    private let queue: HandshakeQueue?
    private let peer: PeerAddress
    private var state = State.refreshing
    private var isReadWanted = false

    init(shell: GatewayShell, queue: HandshakeQueue?, peer: PeerAddress) {
        self.shell = shell
        self.queue = queue
        self.peer = peer
    }

    func channelActive(context: ChannelHandlerContext) {
        let refreshed = shell.assumeIsolated { $0.refreshLists() }
        refreshed.assumeIsolated().whenComplete { [self] _ in
            guard context.channel.isActive else { return }
            state = queue == nil ? .open : .listening
            if isReadWanted { context.read() }
            if queue == nil { remove(context) }
        }
        context.fireChannelActive()
    }

    func read(context: ChannelHandlerContext) {
        switch state {
        case .refreshing, .queued: isReadWanted = true
        case .listening, .open: context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .queued(let ticket, var bytes) = state {
            bytes.writeImmutableBuffer(unwrapInboundIn(data))
            state = .queued(ticket, bytes)
            return
        }
        guard case .listening = state, let queue else { return context.fireChannelRead(data) }
        let address = peer.address(of: context.channel)
        let isOfThisMachine = peer.isOfThisMachine(on: context.channel)
        switch queue.assumeIsolated({ $0.arrived(from: address, isOfThisMachine: isOfThisMachine) }) {
        case .begin:
            state = .open
            context.fireChannelRead(data)
            remove(context)
        case .wait(let ticket, let turn):
            isReadWanted = false
            state = .queued(ticket, unwrapInboundIn(data))
            turn.assumeIsolated().whenSuccess { [self] in begin(context) }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // While the peer waits, no handler behind the gate has received anything.
        if case .queued = state { return }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard case .queued(_, let bytes) = state else { return }
        state = .open
        context.fireChannelRead(wrapInboundOut(bytes))
        context.fireChannelReadComplete()
        if isReadWanted { context.read() }
        remove(context)
    }

    private func remove(_ context: ChannelHandlerContext) {
        // Removing fails only if the channel has closed, which removes all handlers.
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func leave() {
        guard case .queued(let ticket, _) = state else { return }
        state = .open
        queue?.assumeIsolated { $0.left(ticket) }
    }
}
