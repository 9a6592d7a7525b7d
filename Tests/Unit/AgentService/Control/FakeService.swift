import AgentService
import TestSupport

/// A service that notes what it is asked.
final class FakeService: ServiceControl {
    /// The calls in order, as words.
    let asked = Watched<[String]>([])
    /// The result of a flush; while it is `nil`, a flush waits.
    let unproven = Watched<Int?>(nil)

    func status() async -> ServiceStatus {
        note("status")
        var status = ServiceStatus(software: "sluice-agent 1", uptimeSeconds: 5, gateway: "gw:7420", schedule: "none")
        status.folders = [ServiceStatus.Folder(name: "cam", path: "/data/cam")]
        return status
    }

    func pause(_ folder: String?) async throws(ControlRefusal) {
        note("pause \(folder ?? "-")")
        if folder == "missing" { throw ControlRefusal("there is no folder missing") }
    }

    func unpause(_ folder: String?) async throws(ControlRefusal) { note("unpause \(folder ?? "-")") }

    func rescan(_ folder: String?) async throws(ControlRefusal) { note("rescan \(folder ?? "-")") }

    func retry(_ ids: [String]) async throws(ControlRefusal) -> Int {
        note("retry \(ids.joined(separator: " "))")
        return ids.count
    }

    func flush() async throws(ControlRefusal) -> Int {
        note("flush")
        do {
            return try await unproven.wait { $0 }
        } catch {
            note("flush ended")
            throw ControlRefusal("the client has left")
        }
    }

    func reload() async throws(ControlRefusal) { note("reload") }

    private func note(_ call: String) { asked.update { $0.append(call) } }
}
