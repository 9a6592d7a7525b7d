package import NIOCore
import NIOPosix

/// A TCP proxy in the test process that simulates a faulty network between two programs.
///
/// The proxy listens on its own loopback port from start to stop and forwards bytes unchanged. Any task can at any time
/// make it delay, slow down, split, hold back, lose or cut traffic, refuse connections, or connect to another upstream.
/// Each connection and direction holds at most ``heldBytesMax``, so a receiver that does not read slows down its sender
/// as it would without the proxy.
package final class FaultProxy: Sendable {
    /// Maximum number of bytes that the proxy holds for one direction of one connection. The proxy may exceed it by one
    /// read from the socket.
    package static let heldBytesMax = 4 << 20

    /// The loopback port of the proxy. It does not change while connections are refused or when the upstream changes.
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

    /// Starts a proxy, which the caller has to stop. ``withFaultProxy(upstreamPort:faults:_:)`` does both.
    /// - Parameters:
    ///   - seed: determines the random sizes of slices.
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

    /// The totals so far.
    package var counts: ProxyCounts { watchedCounts.current }

    /// Changes the faults. On return the change applies to new and existing connections.
    /// - Throws: an error if the proxy cannot listen on its port again.
    package func change(_ change: @escaping @Sendable (inout Faults) -> Void) async throws {
        try await eventLoop.flatSubmit { self.core.value.change(change) }.get()
    }

    /// Connects new clients to these upstreams in turn. Existing connections do not move until they are cut.
    package func redirect(to upstream: SocketAddress, _ others: SocketAddress...) async throws {
        let upstreams = [upstream] + others
        try await eventLoop.submit { self.core.value.upstreams = upstreams }.get()
    }

    /// Cuts all connections at once, at any position of their traffic.
    package func cutAll(by cut: Cut) async throws {
        try await eventLoop.submit { self.core.value.cutAll(by: cut) }.get()
    }

    /// Cuts all connections once, after exactly this number of further bytes towards one end.
    ///
    /// Returns when the cut is scheduled. Replaces a scheduled cut that has not happened yet.
    package func cutAll(afterBytes byteCount: Int, towards end: ProxyEnd, by cut: Cut) async throws {
        try await eventLoop.submit {
            self.core.value.arrangeCut(ArrangedCut(end: end, bytesLeft: byteCount, cut: cut))
        }.get()
    }

    /// Waits until the totals satisfy a condition. Use ``withDeadline(_:_:detail:_:)`` for a time limit.
    package func wait(until wanted: @escaping @Sendable (ProxyCounts) -> Bool) async throws {
        try await watchedCounts.wait { wanted($0) ? () : nil }
    }

    /// Waits until this number of bytes, in total since the start, has been forwarded towards one end.
    ///
    /// More bytes may pass before the caller continues. To cut at an exact byte, use
    /// ``cutAll(afterBytes:towards:by:)``.
    package func wait(untilBytes byteCount: Int, towards end: ProxyEnd) async throws {
        try await wait { $0[towards: end].bytesForwarded >= byteCount }
    }

    /// Resets all connections and closes the port.
    package func stop() async throws {
        try await eventLoop.flatSubmit { self.core.value.stop() }.get()
    }
}

/// Runs `body` with a proxy in front of a loopback port, and always stops the proxy.
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
