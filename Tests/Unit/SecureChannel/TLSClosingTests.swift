import Cryptography
import CryptographySupport
import NIOCore
import NIOEmbedded
import SecureChannel
import TestSupport
import Testing

@Suite struct TLSClosingTests {
    @Test(arguments: [true, false]) func closingWaitsForThePeersCloseNotify(agentIsFirst: Bool) throws {
        let pair = try TLSPair.connected()
        let (first, second) = agentIsFirst ? (pair.agent, pair.gateway) : (pair.gateway, pair.agent)
        let closed = first.channel.close()
        #expect(!first.wire.isClosed)
        try pair.carry(from: first, to: second)
        #expect(second.wire.isClosed)
        #expect(second.application.events.suffix(1) == [.inactive])
        #expect(!first.wire.isClosed)
        try pair.carry(from: second, to: first)
        first.run()
        try #require(first.wire.isClosed)
        #expect(first.application.errors + second.application.errors == [])
        try closed.wait()
    }

    /// A drop does not wait for the peer's close_notify, not even if a close has already begun.
    @Test(arguments: ["before the handshake", "during the handshake", "open", "closing"])
    func droppedConnectionDoesNotWait(phase: String) throws {
        let pair = try TLSPair()
        if phase == "during the handshake" { try pair.carry(from: pair.agent, to: pair.gateway) }
        if ["open", "closing"].contains(phase) { try pair.exchange() }
        let closed = phase == "closing" ? pair.gateway.channel.close() : nil
        #expect(!pair.gateway.wire.isClosed)
        try pair.gateway.channel.triggerUserOutboundEvent(TLSDrop()).wait()
        pair.gateway.run()
        #expect(pair.gateway.wire.isClosed)
        #expect(pair.gateway.application.events.last == .inactive)
        try closed?.wait()
        // A second drop has no effect.
        pair.gateway.channel.triggerUserOutboundEvent(TLSDrop(), promise: nil)
        pair.gateway.run()
    }

    @Test func bothMayCloseAtOnce() throws {
        let pair = try TLSPair.connected()
        let promises = [pair.agent.channel.close(), pair.gateway.channel.close()]
        try pair.exchange()
        try #require(pair.agent.wire.isClosed && pair.gateway.wire.isClosed)
        #expect(pair.agent.application.errors + pair.gateway.application.errors == [])
        for promise in promises { try promise.wait() }
    }

    @Test func waitForCloseNotifyIsLimited() throws {
        let pair = try TLSPair.connected()
        let promises = [pair.agent.channel.close(), pair.agent.channel.close()]
        pair.agent.channel.embeddedEventLoop.advanceTime(by: .milliseconds(4999))
        #expect(!pair.agent.wire.isClosed)
        pair.agent.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        // The promises complete when the wire closes. If the wire were still open, the test would hang.
        try #require(pair.agent.wire.isClosed)
        #expect(pair.agent.application.errors == [])
        for promise in promises { try promise.wait() }
    }

    @Test func bytesFlushedBeforeClosingArrive() throws {
        let pair = try TLSPair.connected()
        let bytes = seededBytes(1, count: 1_500_000)
        pair.agent.send(bytes)
        let unflushed = pair.agent.channel.write(ByteBuffer(string: "not flushed"))
        pair.agent.channel.close(promise: nil)
        try pair.exchange()
        #expect(pair.gateway.application.received == bytes)
        #expect(pair.gateway.application.errors == [])
        #expect(throws: ChannelError.ioOnClosedChannel) { try unflushed.wait() }
        #expect(throws: (any Error).self) { try pair.agent.channel.writeAndFlush(ByteBuffer(string: "late")).wait() }
    }

    @Test func bytesReceivedWhileClosingAreDropped() throws {
        let pair = try TLSPair.connected()
        pair.gateway.send("too late")
        pair.agent.channel.close(promise: nil)
        try pair.exchange()
        #expect(pair.agent.application.text == "")
        #expect(pair.agent.wire.isClosed)
    }

    @Test(arguments: [true, false]) func endWithoutCloseNotifyIsAnError(byTheWholeChannel: Bool) throws {
        let pair = try TLSPair.connected()
        pair.agent.send("all of it?")
        try pair.exchange()
        byTheWholeChannel ? pair.gateway.wire.hangUp() : pair.gateway.wire.endInput()
        pair.gateway.run()
        let expected: [Application.Event] = [.bytes, .readComplete, .error(TLSError(.truncated)), .inactive]
        #expect(pair.gateway.application.events.suffix(4) == expected)
        #expect(TLSError(.truncated).fault == .connection)
    }

    @Test func truncatedRecordIsNotDelivered() throws {
        let pair = try TLSPair.connected()
        pair.agent.send("all of it?")
        let bytes = try pair.agent.takeSent()
        try pair.gateway.receive(ByteBuffer(bytes: bytes.readableBytesView.dropLast()))
        pair.gateway.wire.hangUp()
        #expect(pair.gateway.application.text == "")
        #expect(pair.gateway.application.errors.map(\.code) == [.truncated])
    }

    @Test func oneDirectionMayEndBeforeTheOther() throws {
        let pair = try TLSPair.connected()
        try pair.gateway.channel.setOption(.allowRemoteHalfClosure, value: true).wait()
        pair.agent.send("that is all")
        let outputClosed = pair.agent.channel.close(mode: .output)
        try pair.exchange()
        try outputClosed.wait()
        #expect(pair.agent.wire.isOutputClosed && !pair.agent.wire.isClosed && !pair.gateway.wire.isClosed)
        #expect(pair.gateway.application.text == "that is all")
        #expect(pair.gateway.application.events.last == .inputClosed)
        // The channel also reports the end of its input. The handler must not report the end a second time.
        pair.gateway.wire.endInput()
        #expect(throws: ChannelError.outputClosed) {
            try pair.agent.channel.writeAndFlush(ByteBuffer(string: "one more")).wait()
        }
        pair.gateway.send("so this is the answer")
        try pair.exchange()
        #expect(pair.agent.application.text == "so this is the answer")
        pair.gateway.channel.close(promise: nil)
        try pair.exchange()
        #expect(pair.agent.wire.isClosed && pair.gateway.wire.isClosed)
        #expect(pair.agent.application.errors + pair.gateway.application.errors == [])
    }

    @Test func withoutHalfClosureBothDirectionsClose() throws {
        let pair = try TLSPair.connected()
        pair.agent.send("that is all")
        pair.agent.channel.close(mode: .output, promise: nil)
        try pair.exchange()
        #expect(pair.gateway.application.text == "that is all")
        #expect(pair.agent.wire.isClosed && pair.gateway.wire.isClosed)
        #expect(pair.agent.application.errors + pair.gateway.application.errors == [])
    }

    @Test func bothDirectionsMayEndOneAfterTheOther() throws {
        let pair = try TLSPair.connected()
        for end in [pair.agent, pair.gateway] {
            try end.channel.setOption(.allowRemoteHalfClosure, value: true).wait()
        }
        pair.agent.channel.close(mode: .output, promise: nil)
        try pair.exchange()
        pair.gateway.channel.close(mode: .output, promise: nil)
        try pair.exchange()
        #expect(pair.agent.wire.isClosed && pair.gateway.wire.isClosed)
        #expect(pair.agent.application.errors + pair.gateway.application.errors == [])
    }

    @Test func aRecordChangedOnTheWayEndsTheConnection() throws {
        let pair = try TLSPair.connected()
        pair.agent.send("genuine")
        var bytes = try pair.agent.takeSent()
        bytes.setInteger(UInt8(0xFF) ^ (bytes.getInteger(at: 10) ?? 0), at: 10)
        try pair.gateway.receive(bytes)
        #expect(pair.gateway.application.errors.map(\.code) == [.malformed])
        #expect(pair.gateway.application.text == "")
        try pair.exchange()
        let badRecordMAC = TLSAlert(rawValue: 20)
        #expect(pair.agent.application.errors.map(\.code) == [.refusedByPeer(badRecordMAC)])
        #expect(String(reflecting: pair.agent.application.errors[0]).contains("bad record mac"))
        #expect(OpenSSLErrorQueue.isEmpty)
    }

    @Test func bytesAfterCloseNotifyAreIgnored() throws {
        let pair = try TLSPair.connected()
        try pair.gateway.channel.setOption(.allowRemoteHalfClosure, value: true).wait()
        pair.agent.channel.close(mode: .output, promise: nil)
        var bytes = try pair.agent.takeSent()
        bytes.writeString("and then something")
        try pair.gateway.receive(bytes)
        try pair.gateway.receive(ByteBuffer(string: "and more"))
        #expect(pair.gateway.application.events.last == .inputClosed)
        #expect(pair.gateway.application.errors == [])
    }
}
