import AgentKit
import Cryptography
import Foundation
import SystemSupport
import TestSupport
import Testing

/// Tests of the settings file in an agent's home.
@Suite struct AgentHomeSettingsTests {
    private func with(_ body: (AgentHome, Fingerprint) throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.appending(path: "home").path(percentEncoded: false))
            try body(home, Fingerprint(try .of([1])))
        }
    }

    private func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    /// An address may change between two attempts to register a device. What the user wrote into the file stays.
    @Test func anotherAddressKeepsTheRestOfTheFile() async throws {
        try await with { home, pin throws in
            try home.createOrGoOn(name: "cam", gateway: "g:1", pin: pin)
            let written = try String(contentsOfFile: home.configurationPath, encoding: .utf8)
            try write(written + "limit-rate: 1MB/s  # slow link\n", to: home.configurationPath)
            try home.createOrGoOn(name: "cam", gateway: "h:2", pin: pin)
            let changed = try String(contentsOfFile: home.configurationPath, encoding: .utf8)
            #expect(changed == written.replacing("\"g:1\"", with: "\"h:2\"") + "limit-rate: 1MB/s  # slow link\n")
            #expect(try home.pins().keys == [pin])
        }
    }

    @Test func fileOfAnEarlierVersionIsUsed() async throws {
        try await with { home, pin throws in
            try home.createOrGoOn(name: "cam", gateway: "g:1", pin: pin)
            try FileManager.default.removeItem(atPath: home.configurationPath)
            try write("{\"gateway\": \"g:1\", \"pin\": \"\(pin)\", \"concurrency\": 8}", to: home.path + "/agent.json")
            #expect(try home.pins().keys == [pin])
            try home.createOrGoOn(name: "cam", gateway: "h:2", pin: pin)
            #expect(!FileManager.default.fileExists(atPath: home.path + "/agent.yaml"))
            #expect(try String(contentsOfFile: home.path + "/agent.json", encoding: .utf8).contains("\"h:2\""))
        }
    }

    @Test func twoFilesAreRefused() async throws {
        try await with { home, pin throws in
            try home.createOrGoOn(name: "cam", gateway: "g:1", pin: pin)
            try write("{}", to: home.path + "/agent.json")
            let error = #expect(throws: AgentHomeError.self) { try home.pins() }
            #expect(error?.exitStatus == .usage)
            #expect(
                error?.description.contains("agent.yaml") == true && error?.description.contains("agent.json") == true)
        }
    }

    @Test(arguments: ["pin: 12\n", "gatway: g:1\n", "gateway: [\n"])
    func fileThatCannotBeUsedNamesItsLine(text: String) async throws {
        try await with { home, pin throws in
            try home.createOrGoOn(name: "cam", gateway: "g:1", pin: pin)
            try write(text, to: home.configurationPath)
            let error = #expect(throws: AgentHomeError.self) { try home.pins() }
            #expect(error?.exitStatus == .usage)
            #expect(error?.description.hasPrefix("\(home.configurationPath):") == true, "\(error?.description ?? "")")
        }
    }

    @Test func homeOfAGatewayIsRefused() async throws {
        try await with { home, pin throws in
            try FileManager.default.createDirectory(
                atPath: home.path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            try write("", to: home.path + "/devices")
            let check = #expect(throws: AgentHomeError.self) { try home.check() }
            #expect(check?.description.contains("is the home of a sluice-gateway") == true)
            #expect(throws: AgentHomeError.self) { try home.createOrGoOn(name: "cam", gateway: "g:1", pin: pin) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: home.path) == ["devices"])
        }
    }
}
