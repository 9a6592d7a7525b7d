import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct AgentSlotTableTests {
    private static let upload = UploadID(1)
    private static let slot = Slot(1)

    private static let events: [@Sendable (inout AgentSlotTable) -> Void] = [
        { _ = $0.take(for: upload, slotsMax: 1) }, { $0.closed(slot, hasChunks: false) },
        { $0.closed(slot, hasChunks: true) }, { $0.leave(slot) }, { $0.left(slot, hasChunks: false) },
        { $0.left(slot, hasChunks: true) }, { $0.drained(slot) },
    ]

    private static func name(of table: AgentSlotTable) -> String {
        switch table.state(of: slot) {
        case .free: "free"
        case .used: "used"
        case .left: "left"
        case .draining: "draining"
        }
    }

    @Test func theTableIsTrue() throws {
        var tables = [AgentSlotTable()]
        var seen = Set(tables)
        var changes: Set<TransitionTable.Row> = []
        while let table = tables.popLast() {
            for event in Self.events {
                var next = table
                event(&next)
                guard next != table else { continue }
                changes.insert(TransitionTable.Row(from: Self.name(of: table), to: Self.name(of: next)))
                if seen.insert(next).inserted { tables.append(next) }
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Connections/AgentSlotTable.swift")
        #expect(Set(rows) == changes)
    }

    @Test func theSlotThatBecameFreeLastIsTakenFirst() {
        var table = AgentSlotTable()
        let slots = (0..<3).map { _ in table.take(for: Self.upload, slotsMax: 3) }
        #expect(slots == [Slot(1), Slot(2), Slot(3)])
        #expect(table.take(for: Self.upload, slotsMax: 3) == nil && !table.hasFree(slotsMax: 3))
        table.closed(Slot(1), hasChunks: false)
        table.closed(Slot(3), hasChunks: false)
        #expect(table.usedCount == 1)
        #expect(table.take(for: Self.upload, slotsMax: 3) == Slot(3))
        #expect(table.take(for: Self.upload, slotsMax: 3) == Slot(1))
    }

    @Test func aSlotThatWasLeftIsInUseUntilTheAnswer() {
        var table = AgentSlotTable()
        _ = table.take(for: Self.upload, slotsMax: 1)
        table.leave(Self.slot)
        #expect(table.upload(in: Self.slot) == nil && table.openCount == 1 && table.usedCount == 0)
        table.left(Self.slot, hasChunks: true)
        #expect(table.openCount == 0 && !table.hasFree(slotsMax: 1))
        table.drained(Self.slot)
        #expect(table.hasFree(slotsMax: 1))
    }
}
