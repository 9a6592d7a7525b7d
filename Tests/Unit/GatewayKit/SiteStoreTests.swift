import Foundation
import GatewayKit
import Logging
import TestSupport
import Testing

/// Tests of opening and closing the store of a site.
@Suite
struct SiteStoreTests {
    @Test func closedFileStoreLeavesNothingOfItsInstance() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path(percentEncoded: false)
            let instances = path + "/.sluice/instances"
            for _ in 0..<2 {
                let store = try await SiteStore(location: "file://\(path)").open(logger: Logger(label: "test"))
                #expect(try FileManager.default.contentsOfDirectory(atPath: instances).count == 1)
                await SiteStore.close(store)
                for folder in [instances, path + "/.sluice/staging"] {
                    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [], "\(folder)")
                }
            }
        }
    }
}
