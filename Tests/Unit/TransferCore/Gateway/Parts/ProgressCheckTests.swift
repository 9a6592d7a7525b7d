import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct ProgressCheckTests {
    private static let start = Instant(nanoseconds: 1_000_000_000)
    private static let limits = ProgressCheck.Limits(window: .seconds(60), bytesMin: 256, slowBytesMax: 1_000)
    private static let device = GatewayDriver.device.fingerprint
    private static let otherDevice = GatewayDriver.otherDevice.fingerprint

    private static func attachment(_ connection: UInt64) -> TransferCore.Attachment {
        TransferCore.Attachment(connection: ConnectionID(connection), slot: Slot(1))
    }

    private static func part(
        _ number: UInt64, gained bytes: UInt64?, credit: UInt64 = 1_000, holds: UInt64 = 400,
        of device: SHA256Digest = device, isWhole: Bool = false, isHeldUntilWhole: Bool = false
    ) throws -> ProgressCheck.HeldPart {
        ProgressCheck.HeldPart(
            session: GatewayDriver.session, number: try #require(PartNumber(UInt32(number))),
            owner: attachment(number), flow: FlowID(number), device: device, bytesReserved: holds, isWhole: isWhole,
            isHeldUntilWhole: isHeldUntilWhole, gain: bytes.map { ProgressCheck.Gain(bytes: $0, creditBytes: credit) })
    }

    private static func watching() -> ProgressCheck {
        var check = ProgressCheck()
        check.began(limits, now: start)
        return check
    }

    private static func window(
        _ check: inout ProgressCheck, _ parts: [ProgressCheck.HeldPart], lists: [ProgressCheck.HeldList] = [],
        heard: [UInt64: UInt64] = [:]
    ) -> ProgressCheck.OnWindow {
        let heardBytes = Dictionary(uniqueKeysWithValues: heard.map { (ConnectionID($0.key), $0.value) })
        return check.windowPassed(
            parts: parts, lists: lists, heardBytes: heardBytes, limits, now: start + .seconds(60))
    }

    @Test func theTableIsTrue() throws {
        var (accepted, passed) = (Self.watching(), Self.watching())
        accepted.began(Self.limits, now: Self.start + .seconds(5))
        _ = Self.window(&passed, [])
        #expect(ProgressCheck().phase == .idle && ProgressCheck().nextDeadline == nil)
        #expect(accepted.phase == .watching(nextAt: Self.start + .seconds(65)))
        #expect(passed.phase == .watching(nextAt: Self.start + .seconds(120)))
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Parts/ProgressCheck.swift")
        #expect(rows.map(\.from) == ["idle", "watching", "watching"])
        #expect(rows.allSatisfy { $0.to == "watching" })
    }

    @Test func partThatTookInTooLittleIsStagnant() throws {
        var check = Self.watching()
        let parts = [
            try Self.part(1, gained: 0), try Self.part(2, gained: 256), try Self.part(3, gained: nil),
            try Self.part(4, gained: 10, credit: 10), try Self.part(5, gained: 255),
        ]
        let stagnant = Self.window(&check, parts, heard: [1: 255, 5: 255])
        #expect(stagnant.parts.map(\.number.value) == [1, 5])
    }

    /// A part that the store gets as a whole occupies a place among the requests to the store. So the part is stagnant
    /// if it took in nothing during a window, even on a connection that brings enough bytes for other parts.
    @Test func partThatIsHeldUntilItIsWholeIsStagnantOnAnyConnection() throws {
        var check = Self.watching()
        let parts = [
            try Self.part(1, gained: 0, isHeldUntilWhole: true), try Self.part(2, gained: 0),
            try Self.part(3, gained: 1, isHeldUntilWhole: true), try Self.part(4, gained: nil, isHeldUntilWhole: true),
        ]
        let stagnant = Self.window(&check, parts, heard: [1: 256, 2: 256, 3: 256, 4: 256])
        #expect(stagnant.parts.map(\.number.value) == [1])
    }

    @Test func listThatDidNotMoveIsStagnant() {
        var check = Self.watching()
        let lists = [true, false].map {
            ProgressCheck.HeldList(attachment: Self.attachment($0 ? 1 : 2), hasMoved: $0)
        }
        #expect(Self.window(&check, [], lists: lists, heard: [1: 0, 2: 0]).lists == [lists[1]])
    }

    /// On a slow link parts and lists take turns. If a connection brings enough bytes for all its parts and lists
    /// together, none of them counts as stagnant, even one that received nothing.
    @Test func nothingIsStagnantOnAConnectionThatBringsEnoughForAll() throws {
        let part = try Self.part(1, gained: 0)
        let list = ProgressCheck.HeldList(attachment: Self.attachment(1), hasMoved: false)
        for (heard, isStagnant) in [(512, false), (511, true)] as [(UInt64, Bool)] {
            var check = Self.watching()
            let stagnant = Self.window(&check, [part], lists: [list], heard: [1: heard])
            #expect(stagnant.parts.isEmpty != isStagnant && stagnant.lists.isEmpty != isStagnant)
        }
    }

    /// All slow parts together may hold only a share of the budget. While they hold more, the device whose slow parts
    /// hold the most loses its slowest part. A device always keeps one slow part.
    @Test func slowPartsGiveWayBeyondTheirShare() throws {
        var check = Self.watching()
        let parts = [
            try Self.part(1, gained: 300), try Self.part(2, gained: 260), try Self.part(3, gained: 280),
            try Self.part(4, gained: 256, of: Self.otherDevice), try Self.part(5, gained: 300, isWhole: true),
        ]
        let stagnant = Self.window(&check, parts)
        #expect(stagnant.parts.isEmpty && stagnant.lists.isEmpty)
        #expect(check.nextSlowPart()?.number.value == 2)
        #expect(check.nextSlowPart()?.number.value == 3)
        #expect(check.nextSlowPart() == nil)
    }
}
