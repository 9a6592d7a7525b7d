import Cryptography
import Foundation
import GatewayKit
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
