import NIOCore

/// Holds back a new connection's first read until the lists of devices and invitations are up to date.
///
/// The handshake asks whether a device is on the list. A device that was added before it connected, and an invitation
/// that was made before, must be known by then, and threads read the lists. The handler stands between the socket and
/// the handshake, and removes itself once the lists have been read.
final class ReadGate: ChannelInboundHandler, ChannelOutboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private let shell: GatewayShell
    private var isReadWanted = false

    init(shell: GatewayShell) {
        self.shell = shell
    }

    func channelActive(context: ChannelHandlerContext) {
        let refreshed = shell.assumeIsolated { $0.refreshLists() }
        refreshed.assumeIsolated().whenComplete { [self] _ in open(context) }
        context.fireChannelActive()
    }

    func read(context: ChannelHandlerContext) {
        isReadWanted = true
    }

    private func open(_ context: ChannelHandlerContext) {
        if isReadWanted { context.read() }
        // Removing fails only if the channel has closed, which removes all handlers.
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
