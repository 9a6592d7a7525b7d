import AgentService
import Foundation
import Testing

@Suite struct ServiceStatusTests {
    /// Programs read the JSON, so that a field that changes its name breaks them.
    @Test func statusIsReadBackAsItWasWritten() throws {
        var status = ServiceStatus(software: "sluice-agent 1", uptimeSeconds: 5, gateway: "gw:7420", schedule: "none")
        var folder = ServiceStatus.Folder(name: "recordings", path: "/data/recordings")
        folder.pending = 2
        folder.troubles = [.init(id: "recordings:1.0", path: "a", state: "quarantined", reason: "it cannot be read")]
        status.folders = [folder]
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = try encoder.encode(status)
        #expect(try JSONDecoder().decode(ServiceStatus.self, from: text) == status)
        let fields = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
        #expect(
            fields.keys.sorted() == ["folders", "gateway", "schedule", "software", "uptimeSeconds"])
    }
}
