import TestSupport
import Testing

/// Tests that the proxy passes the same bytes in the same order, at any speed and in pieces of any size.
@Suite(.timeLimit(.minutes(5))) struct FaultProxyPassingTests {
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
            // The receiver may have the last bytes before the proxy has counted them as sent.
            try await pair.wait("all bytes to be counted") {
                $0.towardsUpstream.bytesForwarded == up.count && $0.towardsClient.bytesForwarded == down.count
            }
            #expect(pair.proxy.counts.towardsUpstream.bytesRead == up.count)
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

    /// The test compares the bytes with the time that has passed, so a slow machine cannot hide that the rate was
    /// exceeded.
    @Test(arguments: [1, 4]) func connectionsShareTheRate(connections: Int) async throws {
        let bytesPerSecond = 200_000
        let listener = try await PeerListener.start()
        let faults = Faults(bothWays: DirectionFaults { $0.bytesPerSecond = bytesPerSecond })
        let sending = try await withFaultProxy(upstreamPort: listener.port, faults: faults) { proxy in
            let sending = Task {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<connections {
                        let client = try await Peer.connect(toPort: proxy.port)
                        group.addTask { try await client.send([UInt8](repeating: 7, count: 16 << 20)) }
                    }
                    try await group.waitForAll()
                }
            }
            try await withDeadline(.seconds(120), "the first bytes") {
                try await proxy.wait(untilBytes: 1, towards: .upstream)
            }
            let started = ContinuousClock.now
            let before = proxy.counts.towardsUpstream.bytesForwarded
            try await withDeadline(.seconds(120), "half a second's worth") {
                try await proxy.wait(untilBytes: before + bytesPerSecond / 2, towards: .upstream)
            }
            let passed = proxy.counts.towardsUpstream.bytesForwarded - before
            let allowed = Int(Double(bytesPerSecond) * (started.duration(to: .now) / .seconds(1)))
            // Each connection may be ahead of the rate by one slice of 20 ms.
            #expect(passed <= allowed + (connections + 1) * bytesPerSecond / 50)
            return sending
        }
        // The proxy has stopped, so sending must fail.
        await #expect(throws: (any Error).self) { try await sending.value }
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

    @Test func passesEndOfFileInOneDirection() async throws {
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

    /// An end of file alone does not show whether the other side still reads. Only a failing write shows that its
    /// socket is closed.
    @Test func resetsASenderWhoseReceiverIsGone() async throws {
        try await withPair { pair in
            try await pair.client.close()
            #expect(try await pair.server.waitForEnding() == .endOfFile)
            try await withDeadline(.seconds(120), "writing to fail") {
                await #expect(throws: (any Error).self) {
                    while !Task.isCancelled {
                        try await pair.server.send([1])
                    }
                }
            }
            try await pair.wait("the connection to be gone") { $0.connectionsOpen == 0 }
        }
    }

    /// A proxy that took any number of bytes would hide bugs of flow control.
    @Test func holdsNoMoreThanItsBound() async throws {
        let byteCount = 64 << 20
        try await withPair { pair in
            try await pair.server.setReading(false)
            async let sent: Void = pair.client.send([UInt8](repeating: 9, count: byteCount))
            try await pair.waitUntilFull()
            try await pair.server.setReading(true)
            try await sent
            _ = try await pair.server.waitForBytes(byteCount)
        }
    }
}
