import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// Tests that the proxy's faults happen on real sockets, at the requested byte and in the requested way.
@Suite(.timeLimit(.minutes(5))) struct FaultProxyFaultTests {
    static let endsAndCuts: [(ProxyEnd, Cut, Peer.Ending)] = ProxyEnd.allCases.flatMap { end in
        [(end, Cut.close, Peer.Ending.endOfFile), (end, Cut.reset, Peer.Ending.reset)]
    }

    @Test(arguments: endsAndCuts) func cutsAtTheExactByte(end: ProxyEnd, cut: Cut, ending: Peer.Ending) async throws {
        let bytes = SeededFile(seed: 4, byteCount: 100_000).bytes
        try await withPair { pair in
            let (sender, receiver) = (pair.peer(at: end.opposite), pair.peer(at: end))
            try await sender.send(Array(bytes.prefix(500)))
            _ = try await receiver.waitForBytes(500)
            try await pair.proxy.cutAll(afterBytes: 12_345, towards: end, by: cut)
            // The cut ends this transfer halfway, so its error is expected.
            try? await sender.send(Array(bytes.dropFirst(500)))
            #expect(try await receiver.waitForEnding() == ending)
            #expect(receiver.received.current.bytes == Array(bytes.prefix(500 + 12_345)))
            #expect(try await sender.waitForEnding() == ending)
            #expect(pair.proxy.counts.connectionsCut == 1)
            #expect(pair.proxy.counts.connectionsOpen == 0)
        }
    }

    @Test(arguments: endsAndCuts) func cutsNow(end: ProxyEnd, cut: Cut, ending: Peer.Ending) async throws {
        try await withPair { pair in
            try await pair.peer(at: end).send([1])
            _ = try await pair.peer(at: end.opposite).waitForBytes(1)
            try await pair.proxy.cutAll(by: cut)
            #expect(pair.proxy.counts.connectionsOpen == 0)
            #expect(try await pair.client.waitForEnding() == ending)
            #expect(try await pair.server.waitForEnding() == ending)
        }
    }

    @Test func cutsInTheMiddleOfWhatIsPassing() async throws {
        let byteCount = 8 << 20
        let faults = Faults(bothWays: DirectionFaults { $0.bytesPerSecond = 4 << 20 })
        try await withPair(faults: faults) { pair in
            async let sent: Void = pair.client.send([UInt8](repeating: 5, count: byteCount))
            try await pair.proxy.wait(untilBytes: 1 << 20, towards: .upstream)
            try await pair.proxy.cutAll(by: .reset)
            #expect(try await pair.server.waitForEnding() == .reset)
            let arrived = pair.server.received.current.bytes.count
            #expect(arrived <= pair.proxy.counts.towardsUpstream.bytesForwarded)
            #expect(pair.proxy.counts.towardsUpstream.bytesForwarded >= 1 << 20)
            #expect(arrived < byteCount)
            // The sender's last write may fail, or the kernel may still accept it. Both are correct.
            try? await sent
        }
    }

    @Test func cutsEachConnectionAfterItsOwnBytes() async throws {
        var faults = Faults()
        faults.towardsUpstream.connectionBytesMax = 1_000
        faults.cut = .close
        let listener = try await PeerListener.start()
        try await withFaultProxy(upstreamPort: listener.port, faults: faults) { proxy in
            for index in 0..<3 {
                let client = try await Peer.connect(toPort: proxy.port)
                try await client.send([UInt8](repeating: 1, count: 5_000))
                let server = try await listener.peer(index)
                #expect(try await server.waitForEnding() == .endOfFile)
                #expect(server.received.current.bytes.count == 1_000)
            }
            #expect(proxy.counts.connectionsCut == 3)
        }
        try await listener.stop()
    }

    @Test func cutsRepeatedlyUntilStopped() async throws {
        var faults = Faults()
        faults.cutEvery = .milliseconds(100)
        let listener = try await PeerListener.start()
        try await withFaultProxy(upstreamPort: listener.port, faults: faults) { proxy in
            for cuts in 1...3 {
                // A cut may also happen before the client sees its connection established.
                let client = try? await Peer.connect(toPort: proxy.port)
                try await withDeadline(.seconds(120), "cut \(cuts)") {
                    try await proxy.wait { $0.connectionsCut >= cuts }
                }
                if let client { #expect(try await client.waitForEnding() == .reset) }
            }
            try await proxy.change { $0.cutEvery = nil }
            let cuts = proxy.counts.connectionsCut
            // The proxy delays this byte for longer than the interval between the earlier cuts. The byte arrives all
            // the same, so the proxy no longer cuts connections.
            try await proxy.change { $0.towardsUpstream.delay = .milliseconds(150) }
            let client = try await Peer.connect(toPort: proxy.port)
            try await client.send([1])
            try await proxy.wait(untilBytes: 1, towards: .upstream)
            #expect(proxy.counts.connectionsCut == cuts)
        }
        try await listener.stop()
    }

    @Test func holdsStalledBytesUntilReleased() async throws {
        try await withPair { pair in
            try await pair.proxy.change { $0.towardsUpstream.passage = .stalled }
            try await pair.client.send([1, 2, 3])
            try await pair.wait("the bytes to be in the proxy") { $0.towardsUpstream.bytesRead == 3 }
            // The direction towards the client is not stalled. When this answer has arrived, the bytes towards the
            // upstream would have arrived too if they were not held.
            try await pair.server.send([4])
            _ = try await pair.client.waitForBytes(1)
            #expect(pair.server.received.current.bytes.isEmpty)
            #expect(pair.proxy.counts.towardsUpstream.bytesForwarded == 0)
            #expect(pair.proxy.counts.connectionsOpen == 1)
            try await pair.proxy.change { $0.towardsUpstream.passage = .forwarding }
            #expect(try await pair.server.waitForBytes(3) == [1, 2, 3])
        }
    }

    @Test func stallsTheSenderOnceItIsFull() async throws {
        let byteCount = 64 << 20
        try await withPair { pair in
            try await pair.proxy.change { $0.towardsUpstream.passage = .stalled }
            async let sent: Void = pair.client.send([UInt8](repeating: 1, count: byteCount))
            try await pair.waitUntilFull()
            try await pair.proxy.change { $0.towardsUpstream.passage = .forwarding }
            try await sent
            _ = try await pair.server.waitForBytes(byteCount)
        }
    }

    @Test func discardsBytesSilently() async throws {
        let byteCount = 32 << 20
        try await withPair { pair in
            try await pair.proxy.change { $0.towardsUpstream.passage = .vanishing }
            try await pair.client.send([UInt8](repeating: 1, count: byteCount))
            try await pair.wait("the bytes to be lost") { $0.towardsUpstream.bytesLost == byteCount }
            #expect(pair.server.received.current.bytes.isEmpty)
            #expect(pair.proxy.counts.connectionsOpen == 1)
            try await pair.proxy.change { $0.towardsUpstream.passage = .forwarding }
            try await pair.client.send([2])
            #expect(try await pair.server.waitForBytes(1) == [2])
        }
    }

    /// The connection is half open: its other side sees the end only when the network passes bytes again.
    @Test(arguments: [Passage.stalled, .vanishing]) func hidesTheDeathOfOneSide(passage: Passage) async throws {
        try await withPair { pair in
            try await pair.proxy.change { $0.towardsUpstream.passage = passage }
            try await pair.client.reset()
            try await pair.server.send([1])
            try await pair.wait("the server's byte to get nowhere") {
                $0.towardsClient.bytesLost + $0.towardsClient.bytesForwarded == 1
            }
            #expect(pair.server.received.current.ending == nil)
            #expect(pair.proxy.counts.connectionsOpen == 1)
            try await pair.proxy.change { $0.towardsUpstream.passage = .forwarding }
            #expect(try await pair.server.waitForEnding() == .reset)
            try await pair.wait("the connection to be gone") { $0.connectionsOpen == 0 }
        }
    }

    @Test func refusesConnectionsOnAPortItKeeps() async throws {
        let listener = try await PeerListener.start()
        try await withFaultProxy(upstreamPort: listener.port) { proxy in
            let before = try await Peer.connect(toPort: proxy.port)
            let server = try await listener.peer()
            try await proxy.change { $0.refusesConnections = true }
            let error = await #expect(throws: NIOConnectionError.self) { try await Peer.connect(toPort: proxy.port) }
            let reason = try #require(error?.connectionErrors.first?.error as? IOError)
            #expect(reason.errnoCode == ECONNREFUSED)
            try await before.send([1])
            #expect(try await server.waitForBytes(1) == [1])
            try await proxy.change { $0.refusesConnections = false }
            let after = try await Peer.connect(toPort: proxy.port)
            try await after.send([2])
            #expect(try await listener.peer(1).waitForBytes(1) == [2])
        }
        try await listener.stop()
    }

    @Test func newConnectionsUseTheCurrentUpstream() async throws {
        let (first, second) = (try await PeerListener.start(), try await PeerListener.start())
        try await withFaultProxy(upstreamPort: first.port) { proxy in
            let old = try await Peer.connect(toPort: proxy.port)
            _ = try await first.peer()
            try await proxy.redirect(to: SocketAddress(ipAddress: "127.0.0.1", port: second.port))
            let new = try await Peer.connect(toPort: proxy.port)
            try await new.send([2])
            try await old.send([1])
            #expect(try await second.peer().waitForBytes(1) == [2])
            #expect(try await first.peer().waitForBytes(1) == [1])
        }
        try await first.stop()
        try await second.stop()
    }

    @Test func resetsClientsWhoseUpstreamIsDown() async throws {
        var down = Faults()
        down.refusesConnections = true
        try await withFaultProxy(upstreamPort: 1, faults: down) { upstream in
            try await withFaultProxy(upstreamPort: upstream.port) { proxy in
                // The reset may also arrive before the client sees its connection established.
                let client = try? await Peer.connect(toPort: proxy.port)
                try await withDeadline(.seconds(120), "the upstream to be missed") {
                    try await proxy.wait { $0.connectionsWithoutUpstream == 1 && $0.connectionsOpen == 0 }
                }
                if let client { #expect(try await client.waitForEnding() == .reset) }
            }
        }
    }
}
