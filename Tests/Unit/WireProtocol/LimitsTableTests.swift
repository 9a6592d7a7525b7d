import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// The code's limits equal the limits in the specification, to which SECURITY.md refers.
@Suite struct LimitsTableTests {
    private let limits = GatewayLimits(
        parts: PartRule(
            partBytesMin: 1, partBytesMax: 1 << 30, partBytesDefault: 1, partsMax: 10_000, objectBytesMax: 1 << 40))

    @Test func gatewayLimitsMatchTheSpecification() throws {
        let rows = try Repository.tableRows(underHeading: "### 5.3 Limits")
        let table = rows.map { "\($0[0]): \($0[1])" }
        let start = try #require(table.firstIndex(of: "limit: value"))
        #expect(Array(table[(start + 1)...]) == told)
    }

    /// The limits that are the same for all gateways: an agent must know them, and WELCOME does not carry them.
    @Test func fixedLimitsMatchTheSpecification() throws {
        let rows = try Repository.tableRows(underHeading: "### 5.3 Limits")
        let agents = rows.prefix { $0[0] != "limit" }
        let table = Set(agents.map { "\($0[0]): \($0[1])" })
        let told = [
            "extension fields of a frame: \(WireLimits.extensionFieldsMax)",
            "message, and REPORT's reason: \(WireLimits.messageBytesMax) bytes",
            "token: \(grouped(WireLimits.tokenBytesMax)) bytes", "pins in HELLO: \(WireLimits.pinsMax)",
            "key: 1 to \(grouped(WireLimits.keyBytesMax)) bytes with the device's prefix",
            "metadata: \(SessionMetadata.pairsMax) pairs, \(grouped(SessionMetadata.bytesMax)) bytes",
        ]
        #expect(table.isSuperset(of: told))
    }

    private var told: [String] { toldOfPeers + toldOfMemory + toldOfParts + toldOfBreaker }

    private var toldOfPeers: [String] {
        [
            "connections without HELLO: \(grouped(limits.unauthenticatedPeersMax))",
            "the same, of one address: \(grouped(limits.unauthenticatedPeersPerAddressMax))",
            "connections that wait for a balancer's header: \(grouped(limits.peersBeforeProxyHeaderMax))",
            "handshake: \(seconds(limits.handshakeLimit))",
            "HELLO or ENROL after the handshake: \(seconds(limits.helloLimit))",
            "body before HELLO: \(grouped(WireLimits.bodyBytesBeforeHelloMax)) bytes, fixed by §5",
            "read at once before HELLO: \(size(UInt64(limits.readBytesBeforeHello)))",
            "read at once after it: \(size(UInt64(limits.readBytes)))",
            "connections: \(grouped(limits.connectionsMax))",
            "connections of a device: \(grouped(limits.connectionsPerDeviceMax))",
            "silence: \(seconds(limits.idleLimit))",
            "sessions: \(grouped(limits.sessionsMax))",
            "sessions of a device: \(grouped(limits.sessionsPerDeviceMax))",
            "session without a connection: \(seconds(limits.sessionGrace))",
            "slots of a connection: \(grouped(Int(limits.slotsMax)))",
            "fruitless beginnings of a device at once: \(grouped(Int(limits.fruitlessBeginningsAtOnce)))",
            "fruitless beginnings of a device a second: \(grouped(Int(limits.fruitlessBeginningsPerSecond)))",
            "objects read back at once, in all and of a device: "
                + "\(limits.readBacksMax), \(limits.readBacksPerDeviceMax)",
            "look-ups, lists, records, completions and aborts at the store at once: \(limits.calls.lookUps), "
                + "\(limits.calls.lists), \(limits.calls.records), \(limits.calls.completions), "
                + "\(limits.calls.aborts)",
            "PROVEs under way, in all and of a device: \(grouped(limits.provesMax)), \(limits.provesPerDeviceMax)",
            "devices whose newest REPORT is kept: \(grouped(limits.reportsMax))",
            "frames of a device at once: \(grouped(Int(limits.framesAtOnce)))",
            "frames of a device a second: \(grouped(Int(limits.framesPerSecond)))",
            "the least that they wait: \(limits.framePause.components.attoseconds / 1_000_000_000_000_000) ms",
        ]
    }

    private var toldOfMemory: [String] {
        let parts = Reservations.dataMax(of: limits.budgetBytes)
        let tables = Reservations.tablesMax(of: limits.budgetBytes)
        return [
            "memory for parts, lists and tables of stored parts: \(size(limits.budgetBytes))",
            "the same, of a device: \(size(limits.budgetBytesPerDevice))",
            "parts and lists, of this memory: \(size(parts))",
            "tables of stored parts, of this memory: \(size(tables))",
        ]
    }

    private var toldOfParts: [String] {
        [
            "window of a part: \(size(limits.windowBytes))",
            "initial credit of a connection: \(size(UInt64(limits.initialCreditBytes))) or 0",
            "chunk, decompressed: \(size(UInt64(limits.chunkBytesMax)))",
            "parts of a session under way: \(limits.partsPerSessionMax)",
            "undecided parts of a connection: \(limits.undecidedPartsMax)",
            "decisions of a slot that wait for its answer: \(limits.heldDecisionsMax), fixed by §7.1",
            "uploads asked for before a session is opened: \(limits.probesMax)",
            "part without a connection: \(seconds(limits.partGrace))",
            "progress is judged every: \(seconds(limits.progressWindow))",
            "progress of each that holds memory: \(limits.progressBytesMin) bytes",
            "memory of slow parts while others wait: \(size(limits.slowBytesMax))",
            "advice to come again: \(limits.laterAdvice.components.attoseconds / 1_000_000_000_000_000) ms",
            "another version after a lost COMPLETE: \(seconds(limits.putLimit)). On a store that does not check the "
                + "conditions of completions, at least as long as a completion may take",
            "store asked before a session is lost: \(limits.lossChecks) times, "
                + "\(seconds(limits.lossCheckInterval)) apart and \(seconds(limits.lossCheckInterval)) more each time",
            "tries of one completion: \(limits.completionAttempts)",
        ]
    }

    private var toldOfBreaker: [String] {
        let breaker = limits.breaker
        return [
            "store calls lost in a row: \(breaker.lostMax)",
            "refusals by the store in a row: \(breaker.refusalsMax), or \(breaker.refusalsMaxOfSeveral) "
                + "where they are of several devices",
            "first wait of such a store: \(seconds(breaker.waitFirst)), \(seconds(breaker.waitFirstWhereFull)) "
                + "where it is full",
            "longest wait of such a store: \(seconds(breaker.waitLongest))",
            "credit of a part that is tried: \(size(breaker.cautiousBytes)) until the store takes it",
            "parts at once after a trial: \(breaker.partsMaxRising) at the most before all may come",
        ]
    }

    private func seconds(_ duration: Duration) -> String { "\(duration.components.seconds) s" }

    private func size(_ bytes: UInt64) -> String {
        bytes >= 1 << 20 ? "\(bytes >> 20) MiB" : "\(bytes >> 10) KiB"
    }
}
