import Cryptography
import NIOCore
import NIOEmbedded
import SecureChannel
import SeededRandom
import Synchronization
import TestSupport
import Testing

@Suite struct TLSHandshakeTests {
    @Test func anUnknownDeviceIsRefused() throws {
        let asked = Mutex<[TLSPeer]>([])
        let gateway = try Site.gateway { peer in
            asked.withLock { $0.append(peer) }
            return false
        }
        let pair = try TLSPair(agent: Site.agent(), gateway: gateway)
        try pair.exchange()
        let device = try Site.deviceIdentity.get().fingerprint
        #expect(asked.withLock { $0 } == [TLSPeer(fingerprint: device, name: nil)])
        #expect(pair.gateway.application.errors.map(\.code) == [.unknownDevice(device)])
        #expect(pair.gateway.application.errors.map(\.fault) == [.peer])
        #expect(pair.gateway.application.peer == nil)
        #expect(pair.agent.application.errors.map(\.code) == [.refusedByPeer(.unknownAuthority)])
        #expect(pair.agent.application.errors.map(\.fault) == [.disagreement])
        #expect(OpenSSLErrorQueue.isEmpty)
    }

    @Test func aGatewayWithAnotherKeyIsRefused() throws {
        let foreign = try Site.foreignIdentity.get()
        let agent = try TLSContext.agent(
            identity: Site.deviceIdentity.get(), gateway: .pinnedKeys([foreign.fingerprint]))
        let pair = try TLSPair(agent: agent, gateway: Site.gateway())
        try pair.exchange()
        let presented = try Site.gatewayIdentity.get().fingerprint
        let error = try #require(pair.agent.application.errors.first)
        #expect(error.code == .unexpectedGateway(presented))
        #expect(error.description.contains(presented.description))
        #expect(pair.agent.application.peer == nil)
        #expect(pair.gateway.application.errors.map(\.code) == [.refusedByPeer(.badCertificate)])
        #expect(pair.gateway.application.peer == nil)
    }

    @Test func oneOfSeveralPinsIsEnough() throws {
        let pins = try Set([Site.foreignIdentity, Site.gatewayIdentity].map { try $0.get().fingerprint })
        let agent = try TLSContext.agent(identity: Site.deviceIdentity.get(), gateway: .pinnedKeys(pins))
        let pair = try TLSPair(agent: agent, gateway: Site.gateway())
        try pair.exchange()
        #expect(try pair.agent.application.peer?.fingerprint == Site.gatewayIdentity.get().fingerprint)
    }

    /// The gateway refuses the agent while the agent's data has not been read. If the gateway closed the socket now,
    /// the kernel would reset the connection, and the agent would lose the alert. So the gateway closes only its output
    /// first.
    @Test func refusalLeavesTimeToReadTheAlert() throws {
        let pair = try TLSPair(agent: Site.agent(), gateway: Site.gateway { _ in false })
        pair.agent.send("sent before the refusal is known")
        try pair.exchange()
        #expect(pair.gateway.wire.isOutputClosed)
        #expect(!pair.gateway.wire.isClosed)
        let readCount = pair.gateway.wire.readCount
        try pair.gateway.receive(ByteBuffer(repeating: 0, count: 1000))
        #expect(pair.gateway.wire.readCount > readCount)
        pair.gateway.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(pair.gateway.wire.isClosed)
        #expect(pair.gateway.application.errors.count == 1)
        #expect(pair.gateway.application.received.readableBytes == 0)
    }

    @Test func earlyWritesWaitForTheHandshake() throws {
        let pair = try TLSPair()
        pair.gateway.send("early")
        #expect(try pair.gateway.takeSent().readableBytes == 0)
        try pair.exchange()
        #expect(pair.agent.application.text == "early")
    }

    @Test func tooManyEarlyWritesEndTheConnection() throws {
        var limits = TLSLimits()
        limits.pendingBytesMax = 1000
        let pair = try TLSPair(limits: limits)
        var failures: [TLSError.Code?] = []
        for count in [1000, 1] {
            let promise = pair.agent.channel.embeddedEventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenFailure { failures.append(($0 as? TLSError)?.code) }
            pair.agent.send(ByteBuffer(repeating: 0, count: count), promise: promise)
        }
        pair.agent.run()
        #expect(failures == [.tooMuchPending, .tooMuchPending])
        #expect(pair.agent.application.errors.map(\.code) == [.tooMuchPending])
        #expect(pair.agent.wire.isClosed)
    }

    @Test func aHandshakeThatTakesTooLongEnds() throws {
        let pair = try TLSPair()
        pair.gateway.channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(pair.gateway.application.errors == [])
        pair.gateway.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(pair.gateway.application.errors.map(\.code) == [.handshakeTimedOut])
        #expect(pair.gateway.application.events.last == .inactive)
        #expect(pair.gateway.wire.isClosed)
    }

    @Test func noTimeLimitHoldsAfterTheHandshake() throws {
        let pair = try TLSPair.connected()
        pair.gateway.channel.embeddedEventLoop.advanceTime(by: .hours(1))
        pair.agent.send("still here")
        try pair.exchange()
        #expect(pair.gateway.application.text == "still here")
    }

    @Test(arguments: [true, false]) func lossDuringTheHandshakeIsReported(byTheWholeChannel: Bool) throws {
        let pair = try TLSPair()
        try pair.carry(from: pair.agent, to: pair.gateway)
        let promise = pair.gateway.channel.embeddedEventLoop.makePromise(of: Void.self)
        pair.gateway.send(ByteBuffer(string: "never sent"), promise: promise)
        byTheWholeChannel ? pair.gateway.wire.hangUp() : pair.gateway.wire.endInput()
        #expect(pair.gateway.application.events == [.active, .error(TLSError(.handshakeInterrupted)), .inactive])
        #expect(throws: (any Error).self) { try promise.futureResult.wait() }
    }

    @Test func closingDuringTheHandshakeClosesAtOnce() throws {
        let pair = try TLSPair()
        try pair.carry(from: pair.agent, to: pair.gateway)
        let closed = pair.gateway.channel.close()
        pair.gateway.run()
        try closed.wait()
        #expect(pair.gateway.wire.isClosed)
        #expect(pair.gateway.application.events == [.active, .inactive])
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
        "\u{16}\u{3}\u{1}\u{0}\u{4}\u{1}\u{0}\u{0}\u{0}",
    ])
    func nonTLSBytesAreRefused(text: String) throws {
        let pair = try TLSPair()
        try pair.gateway.receive(ByteBuffer(string: text))
        #expect(pair.gateway.application.errors.map(\.code) == [.malformed])
        #expect(pair.gateway.application.peer == nil)
        #expect(OpenSSLErrorQueue.isEmpty)
    }

    @Test(arguments: 0..<200 as Range<UInt64>) func garbageNeverGetsThrough(seed: UInt64) throws {
        let pair = try TLSPair()
        var generator = SeededGenerator(seed: seed)
        var garbage = seededBytes(seed, count: .random(in: 1...3000, using: &generator))
        // Half of the samples begin like a record with a ClientHello.
        if seed.isMultiple(of: 2) {
            garbage.setBytes([0x16, 3, 1, 0x01, UInt8(truncatingIfNeeded: seed), 1, 0, 0], at: 0)
        }
        try pair.gateway.receive(garbage)
        try pair.agent.receive(garbage)
        for end in [pair.agent, pair.gateway] {
            end.wire.hangUp()
            #expect(end.application.errors.count == 1)
            #expect(end.application.peer == nil)
            #expect(end.application.received.readableBytes == 0)
        }
        #expect(OpenSSLErrorQueue.isEmpty)
    }

    /// One byte of the handshake changes in transit. The handshake may succeed only if the changed byte has no meaning,
    /// such as the version in a record header.
    @Test(arguments: 0..<300 as Range<UInt64>) func aChangedByteIsNoticed(seed: UInt64) throws {
        let pair = try TLSPair()
        var generator = SeededGenerator(seed: seed)
        let isFromAgent = Bool.random(using: &generator)
        let sender = isFromAgent ? pair.agent : pair.gateway
        let receiver = isFromAgent ? pair.gateway : pair.agent
        if !isFromAgent { try pair.carry(from: pair.agent, to: pair.gateway) }
        var bytes = try sender.takeSent()
        let position = Int.random(in: 0..<bytes.readableBytes, using: &generator)
        let byte = try #require(bytes.getInteger(at: position, as: UInt8.self))
        bytes.setInteger(byte ^ .random(in: 1...255, using: &generator), at: position)
        try receiver.receive(bytes)
        try pair.exchange()
        pair.agent.send("from the device")
        pair.gateway.send("from the gateway")
        try pair.exchange()
        // The signatures do not cover the version in the record header.
        if position > 2 {
            #expect(pair.agent.application.text == "" && pair.gateway.application.text == "", "at \(position)")
        }
        pair.agent.wire.hangUp()
        pair.gateway.wire.hangUp()
        #expect(OpenSSLErrorQueue.isEmpty)
    }
}
