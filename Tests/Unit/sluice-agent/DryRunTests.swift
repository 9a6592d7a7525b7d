import AgentKit
import CommandSupport
import Foundation
import InterfaceSupport
import TestSupport
import Testing
import TransferCommon
import TransferCore
import sluice_agent

/// Tests of what push --dry-run prints.
@Suite struct DryRunTests {
    private static let site = DeviceSite(store: SHA256Digest.zero, device: "cam", prefix: "cam/")

    private func plans(_ work: Uploader.Work, home: String) -> (plans: [DryRun.Plan], exitCode: Int32) {
        var plans: [DryRun.Plan] = []
        let code = DryRun(work, expectedBytes: nil, home: AgentHome(path: home)).run { plans.append($0) }
        return (plans, code)
    }

    @Test func filesHaveTheirPlans() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path(percentEncoded: false)
            try Data([1, 2, 3]).write(to: directory.appending(path: "a"))
            try #require(mkfifo(directory.appending(path: "pipe").path(percentEncoded: false), 0o600) == 0)
            let work = Uploader.Work.push(
                paths: [path, path + "/gone"], key: nil, prefix: "", filter: FileFilter())
            let (plans, code) = plans(work, home: path + "/home")
            #expect(code == 1)
            let lines = plans.flatMap(\.lines)
            #expect(lines.first?.hasPrefix("would send  3 B  ") == true && lines.first?.hasSuffix(" → a") == true)
            #expect(lines.contains { $0.hasPrefix("leaves out  ") })
            #expect(lines.last == "1 file, 3 B in all; 1 file cannot be sent")
            let json = plans.map { $0.json(at: Self.site) }
            #expect(AgentInterface.program.problems(in: json, of: "push --dry-run") == [])
            let events = ProgramInterface.events(of: json).filter { $0 != "note" }
            #expect(events == ["planned", "planned", "planned", "summary"])
            #expect(json[0].contains(#""key":"cam/a","relative_key":"a","action":"send","size":3"#))
            #expect(json.last == #"{"event":"summary","files":2,"failed":1,"bytes":3}"#)
            #expect(!plans[0].json(at: nil).contains("\"key\""))
        }
    }

    @Test func streamsHaveNoSize() {
        let (output, code) = plans(.pushOutput(of: ["tar", "c"], key: "k"), home: "/nowhere")
        #expect(code == 0 && output.flatMap(\.lines) == ["would send the output of tar c → k"])
        let input = plans(.push(paths: ["-"], key: "k", prefix: "", filter: FileFilter()), home: "/nowhere").plans
        #expect(input.flatMap(\.lines) == ["would send standard input → k"])
        let json = (output + input).map { $0.json(at: nil) }
        #expect(AgentInterface.program.problems(in: json, of: "push --dry-run") == [])
        #expect(!json.contains { $0.contains("\"size\"") })
    }

    @Test func namesThatAreNotUTF8HaveTheirBytes() {
        var failure = UploadFailure(.unreadable, "its name is not UTF-8")
        failure.pathBytes = [0xFF]
        let plans: [DryRun.Plan] = [
            .refuse(path: "\\xff", key: "", failure), .leaveOut(path: "\\xff", bytes: [0xFF], reason: "a pipe"),
        ]
        let json = plans.map { $0.json(at: Self.site) }
        #expect(AgentInterface.program.problems(in: json, of: "push --dry-run") == [])
        #expect(json.allSatisfy { $0.contains(#""path":"\\xff","path_bytes":"/w==""#) })
    }
}
