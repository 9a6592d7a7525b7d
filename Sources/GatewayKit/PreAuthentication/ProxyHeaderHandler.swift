package import NIOCore

/// Reads the PROXY header with which a connection from a balancer begins. If a connection is not from a balancer, its
/// bytes pass unchanged: if the handler read a header from them, any peer could claim any address.
///
/// The next handlers see a connection only after its header has been read, so they count it under the address that the
/// header names. Until then, `PreAuthenticationLimiter` counts it among the connections that wait for their headers.
/// Bytes behind the header wait until the next handlers ask to read.
package final class ProxyHeaderHandler: ChannelInboundHandler, ChannelOutboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer

    private enum State {
        case idle
        /// The header has not arrived completely. The bytes are what has arrived of it.
        case reading(ByteBuffer)
        /// The header has been read. The bytes are those that have arrived after it.
        case passing(ByteBuffer)
        case refused
        case ended
    }

    private let networks: ProxyNetworks
    private let peer: PeerAddress
    private let limit: TimeAmount
    private let refused: (ProxyHeaderError, SocketAddress?) -> Void
    private let begin: (any Channel) -> PreAuthenticationLimiter.Peer
    private let end: (PreAuthenticationLimiter.Peer) -> Void
    private var entry: PreAuthenticationLimiter.Peer?
    private var state = State.idle
    private var deadline: Scheduled<Void>?

    /// - Parameters:
    ///   - limit: time for the header.
    ///   - refused: called with the error of a header that is not valid, and the balancer's address.
    ///   - begin: registers a connection that waits for its header. May close other ones.
    ///   - end: unregisters the connection.
    package init(
        networks: ProxyNetworks, peer: PeerAddress, limit: TimeAmount,
        refused: @escaping (ProxyHeaderError, SocketAddress?) -> Void,
        begin: @escaping (any Channel) -> PreAuthenticationLimiter.Peer,
        end: @escaping (PreAuthenticationLimiter.Peer) -> Void
    ) {
        self.networks = networks
        self.begin = begin
        self.end = end
        self.peer = peer
        self.limit = limit
        self.refused = refused
    }

    package func channelActive(context: ChannelHandlerContext) {
        guard networks.contains(context.channel.remoteAddress) else {
            state = .ended
            context.fireChannelActive()
            return remove(context)
        }
        state = .reading(ByteBuffer())
        entry = begin(context.channel)
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { context.close(promise: nil) }
        context.read()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .reading(var bytes):
            bytes.writeImmutableBuffer(unwrapInboundIn(data))
            read(bytes, context)
        case .passing(var rest):
            rest.writeImmutableBuffer(unwrapInboundIn(data))
            state = .passing(rest)
        case .refused:
            break
        case .idle, .ended:
            context.fireChannelRead(data)
        }
    }

    private func read(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        do throws(ProxyHeaderError) {
            guard let header = try ProxyHeader.read(bytes.readableBytesView) else {
                state = .reading(bytes)
                return
            }
            if case .peer(let address, let port) = header.source {
                // try?: the address has the right number of bytes, so this does not fail.
                peer.told = try? SocketAddress(packedIPAddress: ByteBuffer(bytes: address), port: Int(port))
            }
            var rest = bytes
            rest.moveReaderIndex(forwardBy: header.byteCount)
            endWaiting()
            state = .passing(rest)
            context.fireChannelActive()
        } catch {
            refused(error, context.remoteAddress)
            state = .refused
            context.close(promise: nil)
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        switch state {
        case .reading: context.read()
        case .passing, .refused: break
        case .idle, .ended: context.fireChannelReadComplete()
        }
    }

    package func read(context: ChannelHandlerContext) {
        switch state {
        case .idle, .reading, .refused:
            // Until the header is complete, this handler itself calls `read`.
            break
        case .passing(let rest):
            state = .ended
            if rest.readableBytes > 0 {
                context.fireChannelRead(wrapInboundOut(rest))
                context.fireChannelReadComplete()
            }
            // Without this call the channel would not read again, because this handler has held back all earlier calls
            // of `read`.
            context.read()
            remove(context)
        case .ended:
            context.read()
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        endWaiting()
        // The handlers behind do not know a connection whose header has not been read.
        switch state {
        case .reading, .refused: break
        case .idle, .passing, .ended: context.fireChannelInactive()
        }
    }

    private func endWaiting() {
        deadline?.cancel()
        guard let entry else { return }
        self.entry = nil
        end(entry)
    }

    private func remove(_ context: ChannelHandlerContext) {
        // Removing fails only if the channel has closed, which removes all handlers.
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
