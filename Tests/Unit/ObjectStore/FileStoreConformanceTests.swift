import ObjectStore
import ObjectStoreConformance
import SystemSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite struct FileStoreConformanceTests {
    /// A directory cannot hold a file and a folder of one name; all else it does as it should.
    static let deviations: Set<StoreDeviation> = [.keysCannotNest]

    @Test(.timeLimit(.minutes(1)), arguments: ConformanceCheck.all)
    func doesWhatEveryStoreMust(_ check: ConformanceCheck) async throws {
        try await withTestStore { store, directory in
            try await check.run(on: StoreUnderTest(store, deviations: Self.deviations, keyPrefix: "conformance/"))
            // Checks clear up behind them, so whatever is left has been left by the store.
            #expect(try directory.files(below: ".sluice/staging").isEmpty)
            #expect(try directory.files(below: ".sluice/uploads").isEmpty)
        }
    }

    /// The same on a kernel or in a sandbox without `openat2`, and on a file system that cannot rename without
    /// replacing.
    @Test(.timeLimit(.minutes(1)), arguments: ConformanceCheck.all)
    func doesWhatEveryStoreMustByOlderCalls(_ check: ConformanceCheck) async throws {
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

    /// The same with pages so short that every list has several.
    @Test(.timeLimit(.minutes(1)), arguments: ConformanceCheck.listings + ConformanceCheck.records)
    func listsInShortPages(_ check: ConformanceCheck) async throws {
        try await withTestDirectory { directory in
            let store = try await directory.open(pageCountMax: 64)
            try await check.run(on: StoreUnderTest(store, deviations: Self.deviations, keyPrefix: "conformance/"))
        }
    }

    /// The names stand in reports, so two may not be alike.
    @Test func checksHaveNamesOfTheirOwn() {
        #expect(Set(ConformanceCheck.all.map(\.name)).count == ConformanceCheck.all.count)
    }

    /// A deviation that is named wrongly must be noticed: this proves that the checks can fail.
    @Test(arguments: StoreDeviation.allCases.filter { !deviations.contains($0) })
    func noticesADeviationThatIsNotThere(_ deviation: StoreDeviation) async throws {
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
