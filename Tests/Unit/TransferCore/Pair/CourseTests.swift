import Testing
import TransferCore
import TransferCoreSupport

/// Uploads over a link without faults.
@Suite struct CourseTests {
    @Test(arguments: [0, 1, 299, 300, 301, 999, 1_000, 1_001, 2_000, 10_000])
    func aFileOfAnySizeArrives(size: Int) {
        let pair = Pair()
        let upload = pair.push(bytes: size)
        #expect(pair.run())
        pair.checkStored(upload)
        pair.rest()
        #expect(pair.violations == [])
        #expect(pair.store.partsStoredAgain == [])
        #expect(pair.store.uploadCount == 0)
        #expect(pair.store.recordCount == 0)
    }

    @Test(arguments: [1, 2, 3])
    func severalFilesArriveOverSeveralConnections(connections: Int) {
        var options = PairOptions()
        options.agentLimits.connections = connections
        let pair = Pair(options)
        let uploads = [0, 7, 250, 900, 1_500, 4_321, 12_000].enumerated().map { index, size in
            pair.push(bytes: size, key: "file-\(index)")
        }
        #expect(pair.run())
        for upload in uploads { pair.checkStored(upload) }
        pair.rest()
        #expect(pair.violations == [])
        #expect(pair.store.partsStoredAgain == [])
    }
}
