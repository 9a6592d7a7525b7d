import NIOCore

/// Holds back a new connection's first read until the lists of devices and invitations are up to date.
///
/// The handshake asks whether the device is on the list, and whether an invitation is open. The handshake has to see
/// every entry that was on the lists before the device connected. Other threads read the lists, so the handshake waits
/// for them. This handler stands between the socket and the handshake, and removes itself once the lists have been
/// read.
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
