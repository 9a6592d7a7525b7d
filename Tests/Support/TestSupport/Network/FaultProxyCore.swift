import Foundation
import NIOCore
import NIOPosix
import SeededRandom

/// A scheduled cut of all connections at one exact byte.
struct ArrangedCut: Sendable {
    let end: ProxyEnd
    var bytesLeft: Int
    let cut: Cut
}

/// The state of a ``FaultProxy``. All members are used on one event loop only, so no locks are needed and every change
/// takes effect between two events.
final class FaultProxyCore {
    let eventLoop: any EventLoop
    let port: Int
    let counts: Watched<ProxyCounts>
    /// New connections go to these upstreams in turn.
    var upstreams: [SocketAddress]
    private(set) var faults = Faults()
    private var arrangedCut: ArrangedCut?

    private var rates: [ProxyEnd: SharedRate] = [:]
    private var generator: SeededGenerator
    private var links: [ObjectIdentifier: ProxyLink] = [:]
    private var listener: (any Channel)?

    /// The last operation that starts or stops listening. Each operation waits for the previous one.
    private var listening: EventLoopFuture<Void>
    private var cutTimer: Scheduled<Void>?
    private var reservation: PortReservation?

    init(
        eventLoop: any EventLoop, upstream: SocketAddress, counts: Watched<ProxyCounts>,
        reservation: consuming PortReservation, seed: UInt64
    ) {
        self.eventLoop = eventLoop
        self.upstreams = [upstream]
        self.counts = counts
        self.port = reservation.port
        self.reservation = consume reservation
        self.listening = eventLoop.makeSucceededVoidFuture()
        self.generator = SeededGenerator(seed: seed)
    }

    // MARK: - Commands

    func change(_ change: (inout Faults) -> Void) -> EventLoopFuture<Void> {
        let before = faults
        change(&faults)
        for end in ProxyEnd.allCases where faults[towards: end].bytesPerSecond != before[towards: end].bytesPerSecond {
            rates[end] = faults[towards: end].bytesPerSecond.map { SharedRate(bytesPerSecond: $0, now: .now()) }
        }
        if faults.cutEvery != before.cutEvery {
            cutTimer?.cancel()
            scheduleCut()
        }
        for link in links.values {
            link.faultsChanged()
        }
        return listen { self.faults.refusesConnections ? self.stopListening() : self.startListening() }
    }

    func cutAll(by cut: Cut) {
        for link in links.values {
            link.cut(by: cut)
        }
    }

    func arrangeCut(_ order: ArrangedCut) {
        if order.bytesLeft > 0 {
            arrangedCut = order
        } else {
            cutAll(by: order.cut)
        }
    }

    func stop() -> EventLoopFuture<Void> {
        cutTimer?.cancel()
        cutTimer = nil
        for link in links.values {
            link.cut(by: .reset)
        }
        return listen {
            self.reservation = nil
            return self.stopListening()
        }
    }

    private func scheduleCut() {
        guard let period = faults.cutEvery else { return }
        cutTimer = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(period)) { [weak self] in
            guard let self else { return }
            self.cutAll(by: self.faults.cut)
            self.scheduleCut()
        }
    }

    // MARK: - Listening

    private func listen(_ order: @escaping () -> EventLoopFuture<Void>) -> EventLoopFuture<Void> {
        let result = listening.assumeIsolated().flatMap(order).nonisolated()
        // The caller of a failed operation handles its error; later operations must not fail because of it.
        listening = result.recover { _ in }
        return result
    }

    private func startListening() -> EventLoopFuture<Void> {
        guard listener == nil else { return eventLoop.makeSucceededVoidFuture() }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let listening = ServerBootstrap(group: eventLoop)
            .serverChannelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try bound.value.accept(channel) }
            }
            .bind(host: "127.0.0.1", port: port)
        return listening.assumeIsolated().map { self.listener = $0 }.nonisolated()
    }

    private func stopListening() -> EventLoopFuture<Void> {
        guard let listener else { return eventLoop.makeSucceededVoidFuture() }
        self.listener = nil
        return listener.close()
    }

    private func accept(_ client: any Channel) throws {
        let link = ProxyLink(core: self, client: client)
        try client.pipeline.syncOperations.addHandler(ProxyEndHandler(end: .client, link: link))
        links[ObjectIdentifier(link)] = link
        counts.update {
            $0.connectionsAccepted += 1
            $0.connectionsOpen += 1
        }
        let upstream = upstreams.removeFirst()
        upstreams.append(upstream)
        link.connect(to: upstream)
    }

    // MARK: - Called by connections

    func linkEnded(_ link: ProxyLink) {
        if links.removeValue(forKey: ObjectIdentifier(link)) != nil {
            counts.update { $0.connectionsOpen -= 1 }
        }
    }

    /// Size in bytes of the next write.
    func sliceBytes(available: Int, towards end: ProxyEnd) -> Int {
        let faults = faults[towards: end]
        var bytes = available
        if let sliceBytesMax = faults.sliceBytesMax {
            bytes = min(bytes, Int.random(in: 1...max(1, sliceBytesMax), using: &generator))
        }
        if let rate = rates[end] {
            bytes = min(bytes, rate.sliceBytes)
        }
        return bytes
    }

    /// Reserves the bytes at the direction's rate and returns their departure time.
    func reserveRate(bytes: Int, towards end: ProxyEnd) -> NIODeadline {
        rates[end]?.reserve(bytes: bytes, now: .now()) ?? .uptimeNanoseconds(0)
    }

    /// Counts bytes that are about to be written. If they reach the scheduled cut, the write must end at the cut.
    /// - Returns: the number of bytes that may be written, and how to cut all connections after that write.
    func chargeArrangedCut(bytes: Int, towards end: ProxyEnd) -> (bytes: Int, cutAll: Cut?) {
        guard var order = arrangedCut, order.end == end else { return (bytes, nil) }
        guard bytes >= order.bytesLeft else {
            order.bytesLeft -= bytes
            arrangedCut = order
            return (bytes, nil)
        }
        arrangedCut = nil
        return (order.bytesLeft, order.cut)
    }
}

private struct SharedRate {
    private let bytesPerSecond: Int
    private var next: NIODeadline

    init(bytesPerSecond: Int, now: NIODeadline) {
        self.bytesPerSecond = max(1, bytesPerSecond)
        self.next = now
    }

    /// How many bytes the rate allows in 20 ms. Such slices are small enough for connections to alternate and for a
    /// change of the rate to take effect quickly.
    var sliceBytes: Int {
        max(1, bytesPerSecond / 50)
    }

    mutating func reserve(bytes: Int, now: NIODeadline) -> NIODeadline {
        // Let a sender catch up on at most 20 ms in which nothing was sent. Otherwise the latency of each wake-up would
        // reduce the rate.
        let departure = max(next, now - .milliseconds(20))
        next = departure + .nanoseconds(Int64(Double(bytes) / Double(bytesPerSecond) * 1e9))
        return departure
    }
}
