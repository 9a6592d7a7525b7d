import ObjectStore
import ObjectStoreConformance
import SystemSupport
import Testing
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite struct FileStoreConformanceTests {
    /// A directory cannot hold a file and a folder with the same name. FileStore keeps all other rules.
    static let deviations: Set<StoreDeviation> = [.keysCannotNest]

    @Test(.timeLimit(.minutes(5)), arguments: ConformanceCheck.all)
    func passesConformance(_ check: ConformanceCheck) async throws {
        try await withTestStore { store, directory in
            try await check.run(on: StoreUnderTest(store, deviations: Self.deviations, keyPrefix: "conformance/"))
            // The checks remove what they have made. A file that remains in staging is therefore left by the store.
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
            #expect(try directory.files(below: ".sluice/uploads").isEmpty)
        }
    }

    /// Runs the checks without two calls: `openat2`, which older kernels and some sandboxes lack, and the rename that
    /// fails if the new name exists, which some file systems lack.
    @Test(.timeLimit(.minutes(5)), arguments: ConformanceCheck.all)
    func passesConformanceWithOlderCalls(_ check: ConformanceCheck) async throws {
        let faults = FileFaults()
        faults.set { call, _ in
            switch call.operation {
            case .openBeneath: ENOSYS
            case .renameIfAbsent: EINVAL
            default: 0
            }
        }
        try await withTestStore(faults) { store, directory in
            try await check.run(on: StoreUnderTest(store, deviations: Self.deviations, keyPrefix: "conformance/"))
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
            #expect(try directory.files(below: ".sluice/uploads").isEmpty)
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: ConformanceCheck.listings + ConformanceCheck.records)
    func listsInShortPages(_ check: ConformanceCheck) async throws {
        try await withTestDirectory { directory in
            let store = try await directory.open(pageCountMax: 64)
            try await check.run(on: StoreUnderTest(store, deviations: Self.deviations, keyPrefix: "conformance/"))
        }
    }

    /// Reports identify a check by its name, so names must be unique.
    @Test func checkNamesAreUnique() {
        #expect(Set(ConformanceCheck.all.map(\.name)).count == ConformanceCheck.all.count)
    }

    /// If a deviation is declared that FileStore does not have, the checks fail. This shows that the checks can fail.
    /// One deviation cannot be noticed: for it the checks send parts in order, which every store accepts.
    @Test(arguments: StoreDeviation.allCases.filter { !deviations.contains($0) && $0 != .partsWaitForEarlierOnes })
    func falselyNamedDeviationFails(_ deviation: StoreDeviation) async throws {
        for check in ConformanceCheck.all {
            do {
                try await withTestStore { store, _ in
                    let deviations = Self.deviations.union([deviation])
                    try await check.run(on: StoreUnderTest(store, deviations: deviations, keyPrefix: "x/"))
                }
            } catch is ConformanceFailure {
                return
            } catch is StoreError {
                return
            }
        }
        Issue.record("no check noticed it")
    }
}
