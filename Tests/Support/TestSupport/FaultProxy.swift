package import NIOCore
import NIOPosix

/// A TCP proxy inside the test process, between one program and another, that plays a network with faults.
///
/// It listens on a loopback port of its own from start to stop, passes bytes on unchanged, and can be told at any
/// moment, from any task, to delay, slow down, chop, hold back, lose or cut what passes, to refuse connections, and to
/// connect to another upstream. It never holds more than ``heldBytesMax`` of one connection and direction: a receiver
/// that does not read slows its sender down through the proxy as it would without it.
package final class FaultProxy: Sendable {
    /// What one direction of one connection holds at the most, give or take one read from the socket.
    package static let heldBytesMax = 4 << 20

    /// The loopback port to connect to. It stays the same while connections are refused and when the upstream changes.
    package let port: Int

    private let eventLoop: any EventLoop
    private let watchedCounts: Watched<ProxyCounts>
    private let core: NIOLoopBound<FaultProxyCore>

    private init(port: Int, core: NIOLoopBound<FaultProxyCore>, counts: Watched<ProxyCounts>) {
        self.port = port
        self.eventLoop = core.eventLoop
        self.core = core
        self.watchedCounts = counts
    }

    /// Begins to listen. ``withFaultProxy(upstreamPort:faults:_:)`` does this and stops it in time.
    /// - Parameters:
    ///   - seed: decides the sizes of slices, where there are to be slices.
    package static func start(upstream: SocketAddress, faults: Faults = Faults(), seed: UInt64 = 0) async throws
        -> FaultProxy
    {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let counts = Watched(ProxyCounts())
        return try await eventLoop.flatSubmit {
            do {
                let core = FaultProxyCore(
                    eventLoop: eventLoop, upstream: upstream, counts: counts, reservation: try PortReservation(),
                    seed: seed)
                let proxy = FaultProxy(port: core.port, core: NIOLoopBound(core, eventLoop: eventLoop), counts: counts)
                return core.change { $0 = faults }.map { proxy }
            } catch {
                return eventLoop.makeFailedFuture(error)
            }
        }.get()
    }

    /// What passed so far.
    package var counts: ProxyCounts { watchedCounts.current }

    /// Makes the network worse or better. When it returns, new and existing connections are treated accordingly.
    /// - Throws: where listening again on the port fails.
    package func change(_ change: @escaping @Sendable (inout Faults) -> Void) async throws {
        try await eventLoop.flatSubmit { self.core.value.change(change) }.get()
    }

    /// Sends new connections elsewhere, to each of several in turn. Existing ones stay where they are: cut them to
    /// move them.
    package func redirect(to upstream: SocketAddress, _ others: SocketAddress...) async throws {
        let upstreams = [upstream] + others
        try await eventLoop.submit { self.core.value.upstreams = upstreams }.get()
    }

    /// Cuts all connections now, in the middle of whatever is passing.
    package func cutAll(by cut: Cut) async throws {
        try await eventLoop.submit { self.core.value.cutAll(by: cut) }.get()
    }

    /// Cuts all connections, once, as soon as exactly so many more bytes have been forwarded towards one end.
    ///
    /// Returns when this is arranged. An order that has not been carried out yet is replaced.
    package func cutAll(afterBytes byteCount: Int, towards end: ProxyEnd, by cut: Cut) async throws {
        try await eventLoop.submit {
            self.core.value.arrangeCut(ArrangedCut(end: end, bytesLeft: byteCount, cut: cut))
        }.get()
    }

    /// Waits until the counts are as wanted. Give it a deadline with ``withDeadline(_:_:detail:_:)``.
    package func wait(until wanted: @escaping @Sendable (ProxyCounts) -> Bool) async throws {
        try await watchedCounts.wait { wanted($0) ? () : nil }
    }

    /// Waits until so many bytes in all, since the proxy was started, have been forwarded towards one end.
    ///
    /// More may pass before the caller does anything about it: to cut at one exact byte, use
    /// ``cutAll(afterBytes:towards:by:)``.
    package func wait(untilBytes byteCount: Int, towards end: ProxyEnd) async throws {
        try await wait { $0[towards: end].bytesForwarded >= byteCount }
    }

    /// Resets every connection and gives up the port.
    package func stop() async throws {
        try await eventLoop.flatSubmit { self.core.value.stop() }.get()
    }
}

/// Runs `body` with a proxy in front of a loopback port, and stops the proxy whatever happens.
package func withFaultProxy<Success>(
    upstreamPort: Int, faults: Faults = Faults(), _ body: (FaultProxy) async throws -> Success
) async throws -> Success {
    let upstream = try SocketAddress(ipAddress: "127.0.0.1", port: upstreamPort)
    let proxy = try await FaultProxy.start(upstream: upstream, faults: faults)
    let result: Result<Success, any Error>
    do {
        result = .success(try await body(proxy))
    } catch {
        result = .failure(error)
    }
    try await proxy.stop()
    return try result.get()
}
