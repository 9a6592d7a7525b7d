import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct AttachedSlotsTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)
    private static let one = TransferCore.Attachment(connection: ConnectionID(1), slot: Slot(1))
    private static let other = TransferCore.Attachment(connection: ConnectionID(2), slot: Slot(1))

    private static func slots(_ attachments: TransferCore.Attachment...) -> AttachedSlots {
        var slots = AttachedSlots()
        for attachment in attachments { slots.attach(AttachedSlot(attachment, asks: .open)) }
        return slots
    }

    private static func name(of slots: AttachedSlots) -> String { slots.isEmpty ? "detached" : "attached" }

    @Test func theTableIsTrue() throws {
        let events: [(inout AttachedSlots) -> Void] = [
            { $0.attach(AttachedSlot(Self.one, asks: .open)) }, { $0.takeOver(Self.slots(Self.one)) },
            { $0.detach(Self.one, now: Self.now) },
            { $0.connectionLost(ConnectionID(1), now: Self.now) },
        ]
        var changes: Set<TransitionTable.Row> = []
        for slots in [Self.slots(), Self.slots(Self.one)] {
            for event in events {
                var next = slots
                event(&next)
                guard Self.name(of: next) != Self.name(of: slots) else { continue }
                changes.insert(TransitionTable.Row(from: Self.name(of: slots), to: Self.name(of: next)))
                #expect((next.detachedAt == nil) == !next.isEmpty)
            }
        }
        let path = "Sources/TransferCore/Gateway/Slots/AttachedSlots.swift"
        #expect(Set(try TransitionTable.rows(of: path)) == changes)
    }

    @Test func theTimeWithoutASlotBeginsWithTheLastOne() {
        var slots = Self.slots(Self.one, Self.other)
        slots.detach(Self.one, now: Self.now)
        #expect(slots.detachedAt == nil && slots.attachments == [Self.other])
        slots.connectionLost(ConnectionID(2), now: Self.now + .seconds(1))
        #expect(slots.detachedAt == Self.now + .seconds(1))
        slots.connectionLost(ConnectionID(2), now: Self.now + .seconds(2))
        #expect(slots.detachedAt == Self.now + .seconds(1))
        slots.ended(now: Self.now + .seconds(3))
        #expect(slots.detachedAt == Self.now + .seconds(3))
        slots.attach(AttachedSlot(Self.one, asks: .open))
        #expect(slots.detachedAt == nil)
    }

    @Test func onlyCompletingSlotsAreReopened() {
        var slots = Self.slots(Self.one, Self.other)
        for attachment in [Self.one, Self.other] { _ = slots[attachment]?.answered() }
        #expect(slots.hasOpenSlot(besides: Self.one))
        slots[Self.other]?.completes()
        #expect(!slots.hasOpenSlot(besides: Self.one))
        #expect(slots.reopen() == [Self.other])
        #expect(slots.reopen() == [])
    }

    @Test func abortEndsTheOtherSlotsButNotThoseThatAbort() {
        var slots = Self.slots(Self.one, Self.other)
        #expect(slots.nextEnded(byAbortAt: Self.one)?.attachment == Self.other)
        slots.attach(AttachedSlot(aborting: Self.other))
        #expect(slots.nextEnded(byAbortAt: Self.one) == nil)
    }
}
