import RepositoryFiles
import Testing

/// The transition tables of the agent's machines name exactly the states of their enums. Machines that a test can drive
/// without the whole agent have a test of their own, which also compares the transitions.
@Suite struct AgentMachineTests {
    struct Machine: CustomTestStringConvertible, Sendable {
        var file: String
        var states: String

        var path: String { "Sources/TransferCore/Agent/\(file).swift" }
        var testDescription: String { file }
    }

    private static let machines = [
        Machine(file: "Connections/AgentConnection", states: "Phase"),
        Machine(file: "AgentPhase", states: "AgentPhase"),
        Machine(file: "Proofs/AgentProof", states: "Phase"),
        Machine(file: "Connections/AgentSlotTable", states: "State"),
        Machine(file: "Parts/OutgoingPart", states: "State"), Machine(file: "Sessions/PutLimit", states: "State"),
        Machine(file: "Parts/FruitlessAttempts", states: "State"), Machine(file: "Parts/SendWindow", states: "State"),
        Machine(file: "Sessions/SessionLinks", states: "Stage"),
        Machine(file: "Scheduling/StoreTrust", states: "State"),
        Machine(file: "Uploads/UploadPhase", states: "UploadPhase"),
        Machine(file: "Sessions/SessionStanding", states: "SessionStanding"),
        Machine(file: "Files/FileVersion", states: "FileVersion"),
    ]

    /// States that a table may name after a transition, although the enum has no such case. A slot that is not in use
    /// any more is removed, so it has no state.
    private static let removed: Set<String> = ["removed"]

    @Test(arguments: machines)
    func theTableNamesTheStates(_ machine: Machine) throws {
        let states = Set(try SourceText.cases(of: machine.states, in: machine.path))
        let rows = try TransitionTable.rows(of: machine.path)
        #expect(!states.isEmpty)
        #expect(Set(rows.map(\.from)).isSubset(of: states.union(["any"])))
        #expect(Set(rows.map(\.to)).isSubset(of: states.union(Self.removed)))
        #expect(Set(rows.flatMap { [$0.from, $0.to] }).isSuperset(of: states))
    }
}
