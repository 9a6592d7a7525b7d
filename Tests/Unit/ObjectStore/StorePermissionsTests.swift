import Foundation
import Glibc
import ObjectStore
import Testing

@Suite struct StorePermissionsTests {
    private static func permissions(of path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    /// The umask can take permissions away. It cannot let other users read or change an object.
    @Test func umaskNeverOpensObjectsToOthers() async {
        await #expect(processExitsWith: .success) {
            for (mask, object, folder) in [(mode_t(0), 0o640, 0o750), (0o022, 0o640, 0o750), (0o077, 0o600, 0o700)] {
                try await withTestStore { store, directory in
                    umask(mask)
                    try await store.put(Sample(100, seed: 1), key: "cam/a/object")
                    try #require(try Self.permissions(of: directory.path("cam/a/object")) == object, "\(mask)")
                    for path in ["cam", "cam/a"] {
                        try #require(try Self.permissions(of: directory.path(path)) == folder, "\(mask)")
                    }
                    try #require(try Self.permissions(of: directory.path(".sluice")) == 0o700, "\(mask)")
                }
            }
        }
    }

    @Test func ownFolderIsClosedToOthersWhenTheStoreOpens() async throws {
        try await withTestDirectory { directory in
            try FileManager.default.createDirectory(
                atPath: directory.path(".sluice"), withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o777])
            let store = try await directory.open()
            #expect(try Self.permissions(of: directory.path(".sluice")) == 0o700)
            try await store.close()
        }
    }
}
