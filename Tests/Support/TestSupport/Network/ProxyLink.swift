import Foundation
import NIOCore
import NIOPosix

/// One connection through a ``FaultProxy``: two sockets, and one stream for each direction.
///
/// The end of file or the reset of one socket travels through the stream to the other socket, after the last byte and
/// with the same faults.
final class ProxyLink {
    /// How long to read and discard bytes from an end that was cut with ``Cut/close``. Closing at once would make the
    /// kernel send a reset for unread bytes.
    private static let lingering = TimeAmount.seconds(2)

    let core: FaultProxyCore
    private var channels: [ProxyEnd: any Channel] = [:]
    private var streams: [ProxyEnd: ProxyStream] = [:]

    /// Whether the connection is neither cut nor ended. After a cut or the end the link ignores the events of its
    /// sockets.
    private(set) var isOpen = true

    init(core: FaultProxyCore, client: any Channel) {
        self.core = core
        self.channels[.client] = client
        for end in ProxyEnd.allCases {
            streams[end] = ProxyStream(towards: end, link: self)
        }
    }

    func stream(towards end: ProxyEnd) -> ProxyStream? { streams[end] }

    func channel(_ end: ProxyEnd) -> (any Channel)? { channels[end] }

    func connect(to upstream: SocketAddress) {
        let bound = NIOLoopBound(self, eventLoop: core.eventLoop)
        let connecting = ClientBootstrap(group: core.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ProxyEndHandler(end: .upstream, link: bound.value))
                }
            }
            .connect(to: upstream)
        connecting.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel)
            case .failure: self.upstreamUnreachable()
            }
        }
    }

    private func connected(_ upstream: any Channel) {
        guard isOpen else { return reset(upstream) }
        channels[.upstream] = upstream
        for stream in streams.values {
            stream.faultsChanged()
        }
    }

    private func upstreamUnreachable() {
        guard isOpen else { return }
        core.counts.update { $0.connectionsWithoutUpstream += 1 }
        end { reset($0) }
    }

    // MARK: - Ends

    func faultsChanged() {
        for stream in streams.values {
            stream.faultsChanged()
        }
    }

    func cut(by cut: Cut) {
        guard isOpen else { return }
        core.counts.update { $0.connectionsCut += 1 }
        end { channel in
            switch cut {
            case .reset: reset(channel)
            case .close: closeLingering(channel)
            }
        }
    }

    /// Passes the reset of one socket on to the other.
    func failed(_ end: ProxyEnd) {
        guard isOpen else { return }
        streams[end.opposite]?.sourceEnded(.reset)
    }

    /// Passes the close of one socket on to the other. If an end of file has already passed in both directions, the
    /// close is orderly and stands for the second end of file. Otherwise the peer has reset the connection: NIO reports
    /// only a close if the reset answers a write that follows the proxy's end of file.
    func lost(_ end: ProxyEnd) {
        channels[end] = nil
        guard isOpen else { return }
        let isInOrder = streams[end]?.isEndingDelivered ?? false
        streams[end.opposite]?.sourceEnded(isInOrder ? .endOfFile : .reset)
        streams[end]?.destinationLost()
        if channels.isEmpty {
            self.end { _ in }
        }
    }

    /// Passes an ending on to one socket. The stream has carried the ending from the other socket.
    func deliver(_ ending: ProxyStream.Ending, to end: ProxyEnd) {
        guard let channel = channels[end] else { return }
        switch ending {
        case .endOfFile: channel.close(mode: .output, promise: nil)
        case .reset: reset(channel)
        }
    }

    private func end(closing close: (any Channel) -> Void) {
        isOpen = false
        for stream in streams.values {
            stream.stop()
        }
        core.linkEnded(self)
        for channel in channels.values {
            close(channel)
        }
        // Breaks the reference cycle between the link and its streams.
        streams = [:]
    }

    private func reset(_ channel: any Channel) {
        // Closing a socket with a linger time of 0 sends a reset. Setting the option fails only if the socket is closed
        // already.
        _ = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        channel.close(promise: nil)
    }

    private func closeLingering(_ channel: any Channel) {
        channel.close(mode: .output, promise: nil)
        channel.read()
        core.eventLoop.scheduleTask(in: Self.lingering) { channel.close(promise: nil) }
    }
}

/// Reports events of one socket to its link.
final class ProxyEndHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let end: ProxyEnd
    private let link: ProxyLink

    init(end: ProxyEnd, link: ProxyLink) {
        self.end = end
        self.link = link
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        link.stream(towards: end.opposite)?.received(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if link.isOpen {
            link.stream(towards: end.opposite)?.pass()
        } else {
            // This end was cut with an end of file. Continue to read, so that the kernel sends no reset for unread
            // bytes.
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        link.stream(towards: end)?.pass()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else { return }
        if link.isOpen {
            link.stream(towards: end.opposite)?.sourceEnded(.endOfFile)
        } else {
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        link.failed(end)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        link.lost(end)
    }
}
