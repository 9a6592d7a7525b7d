import AgentKit
import Cryptography
import Foundation
import SecureChannel
import TestSupport
import Testing
import WireProtocol

/// Tests of the gateway keys that an agent's home has pinned (specification §5.1).
@Suite struct AgentPinsTests {
    private func key(_ number: UInt8) throws -> Fingerprint { Fingerprint(try .of([number])) }

    private func with(_ body: (AgentHome, Fingerprint) throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.appending(path: "home").path(percentEncoded: false))
            let configured = try key(1)
            _ = try home.create(name: "cam", gateway: "gateway:7420", pin: configured)
            try body(home, configured)
        }
    }

    @Test func aNewHomePinsTheConfiguredKey() async throws {
        try await with { home, configured throws in
            #expect(try home.pins().keys == [configured])
            #expect(try home.pins().problem == nil)
        }
    }

    @Test func pinsStay() async throws {
        try await with { home, configured throws in
            #expect(try home.pin(proved: configured, next: key(2).digest) == nil)
            let later = AgentHome(path: home.path)
            #expect(try later.pins().keys == [configured, key(2)])
            let attributes = try FileManager.default.attributesOfItem(atPath: home.pinsPath)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test func theProvedKeyIsPinnedBeforeTheNextOne() async throws {
        try await with { home, configured throws in
            #expect(try home.pin(proved: key(2), next: key(3).digest) == nil)
            #expect(try home.pins().keys == [configured, key(2), key(3)])
        }
    }

    @Test func oldestPinIsRemoved() async throws {
        try await with { home, _ throws in
            for number in 2...9 as ClosedRange<UInt8> { home.pin(proved: try key(number), next: nil) }
            let expected = try (2...9).map { try key($0) }
            #expect(try home.pins().keys == expected)
        }
    }

    /// After a theft of the site's key the user configures the new key. The agent must then distrust all earlier keys.
    @Test func newConfiguredPinReplacesAll() async throws {
        try await with { home, configured throws in
            home.pin(proved: configured, next: try key(2).digest)
            let text = try String(contentsOfFile: home.configurationPath, encoding: .utf8)
            try text.replacing(configured.description, with: key(3).description)
                .write(toFile: home.configurationPath, atomically: true, encoding: .utf8)
            #expect(try home.pins().keys == [key(3)])
            home.pin(proved: try key(3), next: try key(4).digest)
            #expect(try home.pins().keys == [key(3), key(4)])
        }
    }

    @Test(arguments: [
        "", "nonsense", "{}", "{\"configured\":\"CONFIGURED\",\"pins\":[\"sha256:12\"]}",
        "{\"configured\":\"CONFIGURED\",\"pins\":[]}",
    ])
    func aDamagedFileLeavesTheConfiguredPin(text: String) async throws {
        try await with { home, configured throws in
            let text = text.replacing("CONFIGURED", with: configured.description)
            try text.write(toFile: home.pinsPath, atomically: true, encoding: .utf8)
            #expect(try home.pins().keys == [configured])
            #expect(try home.pins().problem?.contains("pins.json") == true)
            home.pin(proved: configured, next: try key(2).digest)
            #expect(try home.pins().keys == [configured, key(2)])
        }
    }

    @Test func aHomeThatCannotBeWrittenKeepsItsPins() async throws {
        try await with { home, configured throws in
            // Replace the file by a directory. Renaming a file onto a directory fails for every user, even for root, so
            // the pins cannot be written.
            try FileManager.default.createDirectory(
                atPath: home.pinsPath + "/in", withIntermediateDirectories: true)
            let problem = home.pin(proved: configured, next: try key(2).digest)
            #expect(problem?.description.contains("pins.json") == true)
            #expect(try home.pins().keys == [configured])
        }
    }

    @Test func authorityModePinsNothing() async throws {
        try await withTemporaryDirectory { directory in
            let authority = try await Authority(in: directory.appending(path: "authority"))
            let home = AgentHome(path: directory.appending(path: "home").path(percentEncoded: false))
            _ = try home.create(
                name: "cam", gateway: "gateway:7420", authorityPath: authority.certificatePath, gatewayName: "gateway",
                keyType: .ed25519)
            #expect(try home.pin(proved: key(1), next: key(2).digest) == nil)
            #expect(try home.pins().keys == [])
            #expect(!FileManager.default.fileExists(atPath: home.pinsPath))
        }
    }

    /// The settings file exists, so `init` fails after it has copied the authority. The next attempt must find neither
    /// the copy nor the identity in its way. A copy that was there before stays.
    @Test(arguments: [false, true])
    func initThatFailsRemovesItsCopyOfTheAuthority(hadCopy: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let authority = try await Authority(in: directory.appending(path: "authority"))
            let home = AgentHome(path: directory.appending(path: "home").path(percentEncoded: false))
            try FileManager.default.createDirectory(
                atPath: home.path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            try "".write(toFile: home.path + "/agent.yaml", atomically: false, encoding: .utf8)
            let copy = home.path + "/authority.crt"
            if hadCopy { try "theirs".write(toFile: copy, atomically: false, encoding: .utf8) }
            #expect(throws: AgentHomeError.self) {
                try home.create(
                    name: "cam", gateway: "gateway:7420", authorityPath: authority.certificatePath,
                    gatewayName: "gateway", keyType: .ed25519)
            }
            #expect(FileManager.default.fileExists(atPath: copy) == hadCopy)
        }
    }

    @Test func homeAcceptsCodeWithAnyPinnedKey() async throws {
        try await with { home, configured throws in
            home.pin(proved: configured, next: try key(2).digest)
            try home.createOrGoOn(name: "cam", gateway: "gateway:7421", pin: key(2))
            #expect(try home.pins().keys == [configured, key(2)])
            #expect(throws: AgentHomeError.self) {
                try home.createOrGoOn(name: "cam", gateway: "gateway:7421", pin: key(3))
            }
        }
    }
}
