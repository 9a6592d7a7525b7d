import RepositoryFiles
import Testing
import TransferCore

@Suite struct FileVersionTests {
    @Test func theTableIsTrue() throws {
        func name(_ version: FileVersion) -> String { version.isTouched ? "touched" : "recorded" }
        let events: [(inout FileVersion) -> Void] = [
            { $0.touch() }, { $0.settle() }, { $0.restamp(AgentTableTests.Event.stampTouched) },
        ]
        var changes: Set<TransitionTable.Row> = []
        for version in [FileVersion.recorded(AgentDriver.stamp), .touched(AgentDriver.stamp)] {
            for event in events {
                var next = version
                event(&next)
                if name(next) != name(version) {
                    changes.insert(TransitionTable.Row(from: name(version), to: name(next)))
                }
            }
        }
        #expect(
            Set(try TransitionTable.rows(of: "Sources/TransferCore/Agent/Files/FileVersion.swift"))
                == changes)
    }

    @Test func aNewStampDoesNotSettleATouchedFile() {
        var version = FileVersion.touched(AgentDriver.stamp)
        version.restamp(AgentTableTests.Event.stampTouched)
        #expect(version == .touched(AgentTableTests.Event.stampTouched))
    }
}
