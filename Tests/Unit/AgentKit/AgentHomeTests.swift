import AgentKit
import Cryptography
import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing
import TransferCommon

/// Tests of the permissions of a home, and of the lock that lets only one process work in it.
@Suite struct AgentHomeTests {
    /// The permissions of a home and of its files do not depend on the umask.
    @Test func homeIsForItsOwnerAlone() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory { directory in
                umask(0)
                let home = AgentHome(path: directory.appending(path: "home").path(percentEncoded: false))
                try FileManager.default.createDirectory(
                    atPath: home.path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
                try home.createOrGoOn(name: "cam", gateway: "g:1", pin: Fingerprint(try .of([1])))
                let journal = try Journal.open(home.journalPath)
                for (name, permissions) in [
                    ("", 0o700), ("/agent.yaml", 0o600), ("/identity.key", 0o600), ("/journal.sqlite", 0o600),
                    ("/journal.sqlite-wal", 0o600), ("/journal.sqlite-shm", 0o600),
                ] {
                    let attributes = try FileManager.default.attributesOfItem(atPath: home.path + name)
                    try #require(attributes[.posixPermissions] as? Int == permissions, "\(name)")
                }
                withExtendedLifetime(journal) {}
            }
        }
    }

    /// The configuration names the gateway to which the agent sends files. So the agent refuses a configuration that
    /// other users may change.
    @Test func configurationThatOthersMayChangeIsNotRead() async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            let pin = Fingerprint(try .of([1]))
            try home.createOrGoOn(name: "cam", gateway: "g:1", pin: pin)
            try home.keep([pin, Fingerprint(try .of([2]))])
            #expect(try home.pins().keys.count == 2)
            for path in [home.pinsPath, home.configurationPath] {
                try FileManager.default.setAttributes([.posixPermissions: 0o664], ofItemAtPath: path)
                // The agent ignores a file of pins that other users may change. The pin in the configuration still
                // counts.
                if path == home.pinsPath { #expect(try home.pins().keys == [pin]) }
            }
            let error = #expect(throws: AgentHomeError.self) { try home.pins() }
            #expect(error?.description.contains("chmod go-w") == true)
        }
    }

    /// A push beside the service fails, and its user has to know what is at work.
    @Test func busyHomeNamesTheService() async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            let lock = try home.lock()
            let push = #expect(throws: AgentHomeError.self) { try home.lock(patience: 1) }
            #expect(push?.description.contains("another sluice-agent is at work") == true)
            let socket = try LocalSocket.bound(to: home.controlPath)
            defer { close(socket) }
            try #require(listen(socket, 8) == 0)
            let service = #expect(throws: AgentHomeError.self) { try home.lock(patience: 1) }
            #expect(service?.kind == .busy)
            #expect(service?.description.contains("the service sluice-agent run is at work") == true)
            withExtendedLifetime(lock) {}
        }
    }

    @Test func isBusyWhileLocked() async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            let lock = try home.lock()
            #expect(throws: AgentHomeError.self) { try home.lock() }
            #expect(home.isBusy)
            withExtendedLifetime(lock) {}
        }
    }

    /// A child process between fork and exec holds copies of all descriptors, including that of the lock file. When
    /// this process releases the lock, the lock must end although the child still has its copy.
    @Test func lockEndsDespiteOtherDescriptors() async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            let shared = try {
                let lock = try home.lock()
                return try withExtendedLifetime(lock) {
                    try SharedDescriptors(path: directory.appending(path: "lock").path(percentEncoded: false))
                }
            }()
            #expect(shared.count == 1)
            #expect(!home.isBusy)
        }
    }

    /// The folder belongs to something else. Its files only have the names of those that `init` would make.
    @Test func initThatFailsRemovesNoFileOfOthers() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: "taken").path(percentEncoded: false)
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
            try "theirs".write(toFile: path + "/identity.crt", atomically: false, encoding: .utf8)
            let pin = Fingerprint(try .of([1]))
            #expect(throws: AgentHomeError.self) {
                try AgentHome(path: path).create(name: "cam", gateway: "g:1", pin: pin)
            }
            #expect(try String(contentsOfFile: path + "/identity.crt", encoding: .utf8) == "theirs")
        }
    }
}
