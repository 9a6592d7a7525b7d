import Testing
import TransferCore

/// What the gateway does with a frame in a slot equals the table in the specification (§6.1).
@Suite struct SlotStateTests {
    private static let heading = "### 6.1 Slots"

    @Test func effectsMatchTheSpecification() throws {
        let table = try SourceText.specificationTable(["frame", "closed", "opening", "listing"], under: Self.heading)
        #expect(Array(table.header.dropFirst()) == SlotState.allCases.map(\.rawValue))
        #expect(table.rows.map { $0[0] } == SlotState.Frame.allCases.map(\.rawValue))
        for (row, frame) in zip(table.rows, SlotState.Frame.allCases) {
            for (cell, state) in zip(row.dropFirst(), SlotState.allCases) {
                #expect(cell == state.effect(of: frame).rawValue, "\(frame.rawValue) in \(state)")
            }
        }
    }

    @Test func effectsAreExplained() throws {
        let table = try SourceText.specificationTable(["effect", "meaning"], under: Self.heading)
        #expect(table.rows.map { $0[0] } == SlotState.Effect.allCases.map { $0.rawValue })
    }

    /// The specification has one more state, *leaving*, which only an agent knows. To the gateway such a slot is
    /// closed.
    @Test func statesMatchTheSpecification() throws {
        let table = try SourceText.specificationTable(["state", "the use of the slot"], under: Self.heading)
        #expect(table.rows.map { $0[0] } == SlotState.allCases.map(\.rawValue) + ["leaving"])
    }
}
