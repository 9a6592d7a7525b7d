import TestSupport
import Testing

/// What passes must be the same bytes in the same order, however slowly and in whatever pieces.
@Suite(.timeLimit(.minutes(2))) struct FaultProxyPassingTests {
    static let harmless: [(String, DirectionFaults)] = [
        ("nothing", DirectionFaults()),
        ("slices of one byte", DirectionFaults { $0.sliceBytesMax = 1 }),
        ("slices of up to 1,000 bytes", DirectionFaults { $0.sliceBytesMax = 1000 }),
        ("a delay", DirectionFaults { $0.delay = .milliseconds(20) }),
        ("a rate", DirectionFaults { $0.bytesPerSecond = 1_000_000 }),
        (
            "all of them",
            DirectionFaults {
                $0.sliceBytesMax = 700
                $0.delay = .milliseconds(10)
                $0.bytesPerSecond = 2_000_000
            }
        ),
    ]

    @Test(arguments: harmless) func passesBytesUnchangedBothWays(name: String, direction: DirectionFaults) async throws
    {
        let up = SeededFile(seed: 1, byteCount: 40_000).bytes
        let down = SeededFile(seed: 2, byteCount: 30_001).bytes
        try await withPair(faults: Faults(bothWays: direction)) { pair in
            async let sentUp: Void = pair.client.send(up)
            async let sentDown: Void = pair.server.send(down)
            _ = try await (sentUp, sentDown)
            #expect(try await pair.server.waitForBytes(up.count) == up)
            #expect(try await pair.client.waitForBytes(down.count) == down)
            #expect(pair.proxy.counts.towardsUpstream.bytesForwarded == up.count)
            #expect(pair.proxy.counts.towardsUpstream.bytesRead == up.count)
            #expect(pair.proxy.counts.towardsClient.bytesForwarded == down.count)
            #expect(pair.proxy.counts.connectionsOpen == 1)
        }
    }

    @Test(arguments: [1, 100, 4096]) func writesSlicesNoLongerThanAsked(sliceBytesMax: Int) async throws {
        let byteCount = 20_000
        let faults = Faults(bothWays: DirectionFaults { $0.sliceBytesMax = sliceBytesMax })
        try await withPair(faults: faults) { pair in
            try await pair.client.send([UInt8](repeating: 7, count: byteCount))
            _ = try await pair.server.waitForBytes(byteCount)
            try await pair.wait("all writes to be counted") { $0.towardsUpstream.bytesForwarded == byteCount }
            #expect(pair.proxy.counts.towardsUpstream.writes >= byteCount / sliceBytesMax)
        }
    }

    @Test func passesNoFasterThanTheRate() async throws {
        let faults = Faults(bothWays: DirectionFaults { $0.bytesPerSecond = 100_000 })
        try await withPair(faults: faults) { pair in
            let started = ContinuousClock.now
            try await pair.client.send([UInt8](repeating: 7, count: 50_000))
            _ = try await pair.server.waitForBytes(50_000)
            // Half a second's worth, less the first slices, which need not wait.
            #expect(started.duration(to: .now) > .milliseconds(400))
        }
    }

    @Test func sharesTheRateAmongConnections() async throws {
        let listener = try await PeerListener.start()
        let faults = Faults(bothWays: DirectionFaults { $0.bytesPerSecond = 200_000 })
        try await withFaultProxy(upstreamPort: listener.port, faults: faults) { proxy in
            let started = ContinuousClock.now
            for _ in 0..<4 {
                try await Peer.connect(toPort: proxy.port).send([UInt8](repeating: 7, count: 25_000))
            }
            for index in 0..<4 {
                _ = try await listener.peer(index).waitForBytes(25_000)
            }
            #expect(started.duration(to: .now) > .milliseconds(400))
        }
        try await listener.stop()
    }

    @Test func delaysEveryByte() async throws {
        try await withPair(faults: Faults(bothWays: DirectionFaults { $0.delay = .milliseconds(200) })) { pair in
            let started = ContinuousClock.now
            try await pair.client.send([1])
            _ = try await pair.server.waitForBytes(1)
            try await pair.server.send([2])
            _ = try await pair.client.waitForBytes(1)
            #expect(started.duration(to: .now) >= .milliseconds(400))
        }
    }

    @Test func delaysOneWayAlone() async throws {
        var faults = Faults()
        faults.towardsUpstream.delay = .seconds(3600)
        try await withPair(faults: faults) { pair in
            try await pair.client.send([1])
            try await pair.wait("the byte to be under way") { $0.towardsUpstream.bytesRead == 1 }
            try await pair.server.send([2])
            #expect(try await pair.client.waitForBytes(1) == [2])
            #expect(pair.server.received.current.bytes.isEmpty)
        }
    }

    /// Nothing is lost, reordered or sped up past bytes that were there before when the faults change in mid-flow.
    @Test func keepsOrderWhenFaultsChange() async throws {
        let bytes = SeededFile(seed: 3, byteCount: 300_000).bytes
        try await withPair(faults: Faults(bothWays: DirectionFaults { $0.delay = .milliseconds(200) })) { pair in
            async let sent: Void = pair.client.send(bytes)
            try await pair.wait("the first bytes") { $0.towardsUpstream.bytesRead > 0 }
            try await pair.proxy.change { $0.towardsUpstream = DirectionFaults { $0.bytesPerSecond = 100_000 } }
            try await pair.wait("a few slices") { $0.towardsUpstream.bytesForwarded > 5_000 }
            try await pair.proxy.change { $0.towardsUpstream = DirectionFaults { $0.sliceBytesMax = 3_000 } }
            try await sent
            #expect(try await pair.server.waitForBytes(bytes.count) == bytes)
        }
    }

    @Test func passesAnEndOfFileBehindTheLastByteAndLeavesTheOtherWayOpen() async throws {
        let faults = Faults(bothWays: DirectionFaults { $0.delay = .milliseconds(50) })
        try await withPair(faults: faults) { pair in
            try await pair.client.send([1, 2, 3])
            try await pair.client.sendEndOfFile()
            #expect(try await pair.server.waitForEnding() == .endOfFile)
            #expect(pair.server.received.current.bytes == [1, 2, 3])
            try await pair.server.send([4])
            #expect(try await pair.client.waitForBytes(1) == [4])
            try await pair.server.sendEndOfFile()
            #expect(try await pair.client.waitForEnding() == .endOfFile)
            try await pair.wait("the connection to be gone") { $0.connectionsOpen == 0 }
            #expect(pair.proxy.counts.connectionsCut == 0)
        }
    }

    @Test func passesAResetOn() async throws {
        try await withPair { pair in
            try await pair.client.send([1])
            _ = try await pair.server.waitForBytes(1)
            try await pair.client.reset()
            #expect(try await pair.server.waitForEnding() == .reset)
            try await pair.wait("the connection to be gone") { $0.connectionsOpen == 0 }
        }
    }

    /// An end of file alone does not say whether the other side still reads; writing to one that does not must fail.
    @Test func resetsASenderWhoseReceiverIsGone() async throws {
        try await withPair { pair in
            try await pair.client.close()
            #expect(try await pair.server.waitForEnding() == .endOfFile)
            try await withDeadline(.seconds(30), "writing to fail") {
                await #expect(throws: (any Error).self) {
                    while !Task.isCancelled {
                        try await pair.server.send([1])
                    }
                }
            }
            try await pair.wait("the connection to be gone") { $0.connectionsOpen == 0 }
        }
    }

    /// The sender must feel a receiver that does not read, or the proxy would hide every flow-control mistake.
    @Test func holdsNoMoreThanItsBound() async throws {
        let byteCount = 64 << 20
        try await withPair { pair in
            try await pair.server.setReading(false)
            async let sent: Void = pair.client.send([UInt8](repeating: 9, count: byteCount))
            try await pair.wait("the proxy to fill up") {
                $0.towardsUpstream.bytesHeldMax >= FaultProxy.heldBytesMax
            }
            try await pair.server.setReading(true)
            try await sent
            _ = try await pair.server.waitForBytes(byteCount)
            #expect(pair.proxy.counts.towardsUpstream.bytesHeldMax < FaultProxy.heldBytesMax + 2 << 20)
        }
    }
}
