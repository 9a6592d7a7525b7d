import AgentService
import CommandSupport
import InterfaceSupport
import SystemSupport
import Testing
import sluice_agent

/// Tests of what the commands print about a running service.
@Suite struct ServiceReportTests {
    private static var status: ServiceStatus {
        var status = ServiceStatus(
            software: "sluice-agent 1", uptimeSeconds: 7_300, gateway: "gw:7420", schedule: "1 MB/s until 22:00")
        status.bytesPerSecond = 1 << 20
        status.pause = "the gateway is unreachable"
        var folder = ServiceStatus.Folder(name: "cam", path: "/data/cam")
        folder.state = "waiting"
        folder.reason = "the gateway is unreachable"
        folder.pending = 3
        folder.pendingBytes = 3 << 20
        folder.oldestSeconds = 300
        folder.proven = 41
        folder.lastProven = "0839.mp4"
        folder.sending = [
            .init(
                id: "cam:7.0", key: "cam/0840.mp4", path: "0840.mp4", bytes: 2 << 20, storedBytes: 1 << 20,
                sentBytes: 1 << 20)
        ]
        folder.troubles = [.init(id: "cam:3.1", path: "a\u{1B}.mp4", state: "taken", reason: "its key is taken")]
        folder.troubleCount = 3
        status.folders = [folder, ServiceStatus.Folder(name: "logs", path: "/data/logs")]
        return status
    }

    @Test func reportHasFoldersFilesAndReasons() {
        #expect(
            ServiceReport(Self.status).lines(width: nil) == [
                "sluice-agent 1 has run for 2 h and sends to gw:7420.",
                "Nothing is sent now: the gateway is unreachable.",
                "Schedule: 1 MB/s until 22:00; now at most 1.0 MiB/s.",
                "cam  waiting  3 files pending  3.0 MiB  oldest 5 min  41 proven  /data/cam  "
                    + "(the gateway is unreachable)  last proven: 0839.mp4",
                "logs  idle  nothing pending      0 proven  /data/logs",
                "Being sent:",
                "0840.mp4  cam:7.0  1.0 MiB of 2.0 MiB stored",
                "Waiting, or in need of a decision:",
                "cam:3.1  taken  a\\u{1b}.mp4  (its key is taken)",
                "2 further files like these.",
                "sluice-agent retry ID tries one again, retry --all every one.",
            ])
    }

    /// Otherwise the terminal would break the rows.
    @Test(arguments: [40, 60, 100, 200])
    func cellsFitTheTerminal(width: Int) {
        let sentences = ["sluice-agent", "Nothing is sent", "Schedule", "Being sent", "Waiting", "2 further"]
        for line in ServiceReport(Self.status).lines(width: width) {
            guard !sentences.contains(where: { line.hasPrefix($0) }) else { continue }
            #expect(line.count <= width, "\(line)")
        }
    }

    @Test func jsonIsAsDeclared() {
        var status = Self.status
        for _ in 0..<2 {
            let lines = ServiceReport(status).jsonLines
            #expect(AgentInterface.program.problems(in: lines, of: "status").isEmpty)
            #expect(ProgramInterface.events(of: lines).last == "service")
            status = ServiceStatus(software: "sluice-agent 1", uptimeSeconds: 0, gateway: "gw:7420", schedule: "none")
        }
        let events = ProgramInterface.events(of: ServiceReport(Self.status).jsonLines)
        #expect(events == ["sending", "trouble", "folder", "folder", "service"])
    }

    @Test func theExitCodeTellsWhyThereIsNoAnswer() {
        let rows: [(any Error, Int32, String)] = [
            (ControlFailure.noService, 69, "no service runs in this home; start one with sluice-agent run"),
            (ControlFailure.refused("there is no folder x"), 1, "there is no folder x"),
            (
                ControlFailure.interrupted("the service does not answer"), 75,
                "the service does not answer; its log says why, then try again"
            ),
            (
                ControlFailure.otherVersion("its answer has other fields"), 76,
                "the service is of another version than this command (its answer has other fields); restart the service"
            ),
            (
                ControlFailure.forbidden, 66,
                "this user may not ask the service; run this as the user who made the home"
            ),
            (ControlRefusal("the settings name no folder"), 1, "the settings name no folder"),
            (LocalSocketError(path: "/h/s", cause: .occupied), 66, "/h/s is no socket; move that file away"),
        ]
        for (error, code, sentence) in rows {
            let failure = ServiceFailure(error)
            #expect(failure?.exitStatus.rawValue == code && failure?.sentence == sentence, "\(error)")
        }
        #expect(ServiceFailure(CancellationError()) == nil)
    }
}
