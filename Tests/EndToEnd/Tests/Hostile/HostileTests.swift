import Foundation
import NIOCore
import SecureChannel
import SeededRandom
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests {
    /// Attacks by unauthenticated clients and by malicious devices that are on the list. Meanwhile the gateway must
    /// serve an honest agent and stay within its limits of memory and descriptors. Each test prints a row of figures
    /// for information only; `make hostile` shows them.
    @Suite
    struct HostileTests {
        // MARK: Unauthenticated clients

        /// Some connections come from the honest agent's address. The gateway closes old connections when new ones
        /// arrive, and the others after the time limit of the handshake.
        @Test func connectionsThatSayNothing() async throws {
            try await Siege.lay("2,000 silent connections", villains: 0) { target in
                var clients: [HostileClient] = []
                for number in 0..<2_000 {
                    clients.append(try await .raw(to: target.port, from: "127.0.0.\(1 + number % 8)"))
                }
                let all = clients
                let ending = Task { for client in all { _ = try await client.end() } }
                await target.hold([])
                try await ending.value
            }
        }

        /// Each handshake costs the gateway a key exchange and a signature. The gateway closes old ones when new ones
        /// begin, and the others after their time limit.
        @Test func handshakesThatNeverEnd() async throws {
            try await Siege.lay("2,000 handshakes that never end") { target in
                let tls = target.villains[0].patientTLS
                var clients: [HostileClient] = []
                for number in 0..<2_000 {
                    clients.append(try await .deaf(to: target.port, from: "127.0.0.\(1 + number % 8)", tls))
                }
                let all = clients
                let ending = Task { for client in all { _ = try await client.end() } }
                await target.hold([])
                try await ending.value
            }
        }

        @Test func aByteASecond() async throws {
            try await Siege.lay("a byte a second") { target in
                var clients: [HostileClient] = []
                for number in 0..<500 {
                    clients.append(try await .raw(to: target.port, from: "127.0.0.\(1 + number % 4)"))
                }
                clients += try await target.villains[0].enterEverywhere()
                // The start of a TLS record of 16 KiB, and PING frames.
                let record: [UInt8] =
                    [0x16, 3, 1, 0x3F, 0xFF, 1, 0, 0x3F, 0xFB, 3, 3] + Array(repeating: 7, count: 100)
                let ping: [UInt8] = [0, 0, 0, 8, 3, 0, 0, 0] + Array(repeating: 0, count: 8)
                for second in 0... {
                    for (number, client) in clients.enumerated() {
                        let saying = number < 500 ? record : ping
                        client.say(ByteBuffer(bytes: [saying[second % saying.count]]))
                    }
                    target.isUnderWay()
                    // The end of the attack cancels this sleep.
                    do { try await Task.sleep(for: .seconds(1)) } catch { break }
                }
                for client in clients { await client.close() }
            }
        }

        // MARK: Frames

        /// The gateway refuses the length without waiting for the body, both in the first frame and after WELCOME.
        @Test func aLengthOf4GiB() async throws {
            try await Siege.lay("a length of 4 GiB") { target in
                let villain = target.villains[0]
                repeat {
                    for type in FrameType.allCases where type.direction != .gatewayToAgent {
                        for isWelcomed in [false, true] {
                            let client = isWelcomed ? try await villain.enter() : try await villain.knock()
                            let slot: UInt16 = type.scope == .session ? 1 : 0
                            client.say(HostileClient.header(length: .max, type: type.rawValue, slot: slot))
                            #expect(try await client.end() == .frameTooLarge, "\(type)")
                            await client.close()
                        }
                    }
                    target.isUnderWay()
                } while !Task.isCancelled
            }
        }

        /// Every connection of four devices sends the longest frame without its last byte. The gateway closes a
        /// connection without a complete HELLO after 5 seconds.
        @Test func aHeaderWithoutItsBody() async throws {
            try await Siege.lay("a header without its body", villains: 4) { target in
                let waiting = try await target.villains[0].knock()
                waiting.say(HostileClient.header(length: 200, type: FrameType.hello.rawValue))
                var clients: [HostileClient] = []
                for villain in target.villains { clients += try await villain.enterEverywhere() }
                let length = FrameType.partList.bodyBytesMax
                for client in clients {
                    var bytes = HostileClient.header(length: UInt32(length), type: FrameType.partList.rawValue, slot: 1)
                    bytes.writeRepeatingByte(0, count: length - 1)
                    await client.sayAndWait(bytes)
                }
                #expect(try await waiting.end() == .idle)
                await target.hold(clients)
            }
        }

        @Test func theFirstFrameIsAHello() async throws {
            try await Siege.lay("first frames") { target in
                let villain = target.villains[0]
                let long = UInt32(WireLimits.bodyBytesBeforeHelloMax + 1)
                for type in [FrameType.sessionOpen, .partList, .partData, .hello, .ping] {
                    let client = try await villain.knock()
                    client.say(
                        HostileClient.header(length: long, type: type.rawValue, slot: type.scope == .session ? 1 : 0))
                    #expect(try await client.end() == .frameTooLarge, "\(type)")
                }
                let client = try await villain.knock()
                try client.say(.ping(Ping(nonce: 1)))
                #expect(try await client.end() == .unexpectedFrame)
                await target.hold([])
            }
        }

        /// The gateway reads a burst of 10,000 frames from a device at once, and then 20,000 frames per second.
        @Test func framesBeyondTheRateAreReadLater() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let client = try await Villain(0, at: gateway.port, of: site).enter()
                    var frames = ByteBuffer()
                    for nonce in 0..<40_000 as Range<UInt64> {
                        frames.writeImmutableBuffer(HostileClient.header(length: 8, type: FrameType.ping.rawValue))
                        frames.writeInteger(nonce)
                    }
                    let start = ContinuousClock.now
                    client.say(frames)
                    try await client.wait("every PONG") { $0.frameCount > 40_000 ? () : nil }
                    // The rate gives a lower bound for the time. A slow machine may take longer.
                    #expect(ContinuousClock.now - start >= .milliseconds(1_400))
                    await client.close()
                }
            }
        }

        @Test(arguments: ["PING", "unknown", "PART DATA"])
        func aMillionTinyFrames(kind: String) async throws {
            try await Siege.lay("a million tiny frames, \(kind)") { target in
                let client = try await target.villains[0].enter()
                var frames = ByteBuffer()
                switch kind {
                case "PING":
                    for nonce in 0..<1_000_000 as Range<UInt64> {
                        frames.writeImmutableBuffer(HostileClient.header(length: 8, type: FrameType.ping.rawValue))
                        frames.writeInteger(nonce)
                    }
                case "unknown":
                    for _ in 0..<1_000_000 {
                        frames.writeImmutableBuffer(HostileClient.header(length: 0, type: 0x7F, flags: 0x80))
                    }
                default:
                    try await client.open(SessionID(high: 1, low: 1), size: 4 << 20)
                    try await client.offer(size: 4 << 20)
                    for offset in 0..<1_000_000 as Range<UInt64> {
                        frames.writeImmutableBuffer(HostileClient.data([0], offset: offset))
                    }
                }
                client.say(frames)
                await target.hold([client])
            }
        }
    }
}
