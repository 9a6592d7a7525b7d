import Cryptography
import Foundation
import GatewayKit
import Glibc
import Logging
import TestSupport
import Testing
import TransferCore

/// Tests of the files of a gateway's home.
@Suite
struct GatewayHomeTests {
    @Test func filesAreReadableByOwnerOnly() async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.appending(path: "home").path(percentEncoded: false))
            let fingerprint = try home.create(name: "gate")
            #expect(try home.identity().fingerprint == fingerprint)
            _ = try home.keyRing()
            #expect(try home.devices().devices == [])
            let shown = ["identity.crt", "identity.csr"]
            for name in try FileManager.default.contentsOfDirectory(atPath: home.path) where !shown.contains(name) {
                let attributes = try FileManager.default.attributesOfItem(atPath: home.path + "/" + name)
                #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
            }
        }
    }

    @Test func homeOfAnAgentIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path(percentEncoded: false)
            try "".write(toFile: path + "/agent.yaml", atomically: false, encoding: .utf8)
            let error = #expect(throws: GatewayHomeError.self) { try GatewayHome(path: path).create(name: "gate") }
            #expect(error?.description.contains("is the home of a sluice-agent") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["agent.yaml"])
        }
    }

    /// `init` into a directory that exists makes it private. The permissions do not depend on the umask.
    @Test func homeIsForItsOwnerAlone() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory { directory in
                umask(0)
                let path = directory.appending(path: "home").path(percentEncoded: false)
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
                _ = try GatewayHome(path: path).create(name: "gate")
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                try #require(attributes[.posixPermissions] as? Int == 0o700)
            }
        }
    }

    private static func watchDevices(of home: GatewayHome) -> (list: WatchedFile<DeviceList>, reads: Watched<Int>) {
        let reads = Watched(0)
        let list = WatchedFile(home.devicesPath, "device list", logger: Logger(label: "test")) {
            () throws(GatewayHomeError) -> DeviceList in
            reads.update { $0 += 1 }
            return try home.devices()
        }
        return (list, reads)
    }

    /// The device list decides who may write. At start a list that others may change is an error. A gateway that
    /// serves keeps the list that it has read, and reads the file again when its permissions are corrected.
    @Test func listThatOthersMayChangeIsNotRead() async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.path(percentEncoded: false))
            let fingerprint = try home.create(name: "gate")
            let (watched, reads) = Self.watchDevices(of: home)
            #expect(try watched.initial().devices == [])
            try home.addDevice(name: "cam", fingerprint: fingerprint, prefix: nil)
            try FileManager.default.setAttributes([.posixPermissions: 0o664], ofItemAtPath: home.devicesPath)
            #expect(watched.changed() == nil)
            let error = #expect(throws: GatewayHomeError.self) { try home.devices() }
            #expect(error?.description.contains("chmod go-w") == true)
            // The same file is not read again at every handshake.
            #expect(watched.changed() == nil)
            #expect(reads.current == 2)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: home.devicesPath)
            #expect(watched.changed()?.devices.map(\.name) == ["cam"])
        }
    }

    @Test func listThatIsTooLongIsReadOnce() async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.path(percentEncoded: false))
            _ = try home.create(name: "gate")
            let (watched, reads) = Self.watchDevices(of: home)
            let bytes = Data(repeating: UInt8(ascii: "#"), count: DeviceList.fileBytesMax + 1)
            try bytes.write(to: URL(filePath: home.devicesPath))
            for _ in 0..<3 { #expect(watched.changed() == nil) }
            #expect(reads.current == 1)
        }
    }

    @Test func neverOverwritesFiles() async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.path(percentEncoded: false))
            let fingerprint = try home.create(name: "gate")
            #expect(throws: GatewayHomeError.self) { try home.create(name: "gate") }
            #expect(try home.identity().fingerprint == fingerprint)
        }
    }

    @Test func aDeviceIsAddedOnce() async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.path(percentEncoded: false))
            let fingerprint = try home.create(name: "gate")
            try home.addDevice(name: "cam", fingerprint: fingerprint, prefix: "cam/")
            #expect(throws: DeviceListError.self) {
                try home.addDevice(name: "cam", fingerprint: fingerprint, prefix: "")
            }
            #expect(try home.devices().devices.map(\.prefix) == ["cam/"])
        }
    }
}
