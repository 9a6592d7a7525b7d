import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct AttachedSlotTests {
    private static let attachment = TransferCore.Attachment(connection: ConnectionID(1), slot: Slot(1))

    private static func name(of slot: AttachedSlot) -> String {
        switch slot.phase {
        case .unanswered: "unanswered"
        case .open: "open"
        case .completing: "completing"
        case .aborting: "aborting"
        }
    }

    private static func unanswered(_ question: AttachedSlot.Question = .open) -> AttachedSlot {
        AttachedSlot(attachment, asks: question)
    }

    private static func open() -> AttachedSlot {
        var slot = unanswered()
        _ = slot.answered()
        return slot
    }

    private static func decision(_ part: UInt32) throws -> PartDecision {
        PartDecision(part: try #require(PartNumber(part)), decision: .no(code: .sizeUnsupported))
    }

    @Test func theTableIsTrue() throws {
        var completing = Self.open()
        completing.completes()
        let events: [(inout AttachedSlot) -> Void] = [
            { $0.turnedToAdopted() }, { _ = $0.answered() }, { $0.completes() }, { _ = $0.reopens() },
        ]
        var changes: Set<TransitionTable.Row> = []
        for slot in [Self.unanswered(), Self.open(), completing] {
            for event in events {
                var next = slot
                event(&next)
                guard next != slot else { continue }
                changes.insert(TransitionTable.Row(from: Self.name(of: slot), to: Self.name(of: next)))
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Slots/AttachedSlot.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func decisionsFollowTheAnswerInOrder() throws {
        let decisions = [try Self.decision(1), try Self.decision(2), try Self.decision(3)]
        var slot = Self.unanswered()
        for decision in decisions.reversed() { #expect(slot.hold(decision) == true) }
        slot.offered(decisions[1].part)
        slot.turnedToAdopted()
        #expect(slot.question == .adopt && slot.heldCount == 2)
        #expect(slot.answered() == [decisions[0], decisions[2]])
        #expect(slot.hold(decisions[0]) == false)
        #expect(slot.hasOffered)
    }

    @Test func theStateDecidesTheFormOfARefusal() {
        let refusal = SessionRefused(code: .busy, retryAfterMilliseconds: 1, message: "m")
        var completing = Self.open()
        completing.completes()
        for slot in [Self.unanswered(), AttachedSlot(aborting: Self.attachment)] {
            #expect(slot.refusing(refusal) == .sessionRefused(refusal))
        }
        for slot in [Self.open(), completing] {
            guard case .error(let report) = slot.refusing(refusal) else {
                Issue.record("the refusal of an open slot is no ERROR")
                continue
            }
            #expect(report.scope == .session && report.code == .busy)
        }
    }
}
