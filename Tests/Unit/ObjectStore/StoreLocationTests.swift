import ObjectStore
import Testing

@Suite struct StoreLocationTests {
    @Test(arguments: [
        ("file:///var/lib/sluice", StoreLocation.file(directory: "/var/lib/sluice")),
        ("file:///var/lib/sluice///", .file(directory: "/var/lib/sluice")),
        ("file:///with%20space/and%25/caf%C3%A9", .file(directory: "/with space/and%/café")),
        ("file:///with space", .file(directory: "/with space")),
        ("file:///a%3Fb%23c", .file(directory: "/a?b#c")),
        ("s3://bucket", .s3(bucket: "bucket", prefix: "")),
        ("s3://bucket/", .s3(bucket: "bucket", prefix: "")),
        ("s3://my.bucket-1/some/prefix", .s3(bucket: "my.bucket-1", prefix: "some/prefix/")),
        ("s3://bucket/prefix//", .s3(bucket: "bucket", prefix: "prefix/")),
        ("s3://Old_Bucket/a%20b c", .s3(bucket: "Old_Bucket", prefix: "a%20b c/")),
    ])
    func readsALocation(_ text: String, _ location: StoreLocation) throws {
        #expect(try StoreLocation(parsing: text) == location)
    }

    @Test(arguments: [
        ("", "begins neither"), ("/var/lib", "begins neither"), ("http://bucket", "begins neither"),
        ("S3://bucket", "begins neither"), ("file:relative", "three slashes"), ("file:/one", "three slashes"),
        ("file://host/dir", "absolute"), ("file://relative", "absolute"), ("file:///", "no directory"),
        ("file:////", "no directory"), ("file:///a?b", "%3F"), ("file:///a#b", "%23"), ("file:///a%2", "hexadecimal"),
        ("file:///a%zz", "hexadecimal"), ("file:///a%+1", "hexadecimal"), ("file:///a%00b", "zero byte"),
        ("file:///a%FF", "hexadecimal"), ("file:///a\nb", "control"), ("s3://", "no bucket"),
        ("s3:///prefix", "no bucket"), ("s3://user:key@bucket/x", "letters"), ("s3://host:9000/bucket", "letters"),
        ("s3://b cket", "letters"), ("s3://..", "letters"), ("s3://bucket/a//b", "segment"),
        ("s3://bucket/../x", "segment"), ("s3://bucket//a", "segment"), ("s3://bucket/x?region=y", "flags"),
        ("s3://bucket/x\u{7F}", "control"),
    ])
    func refusesWithASentence(_ text: String, _ hint: String) throws {
        let error = #expect(throws: StoreLocationError.self) { try StoreLocation(parsing: text) }
        let description = error?.description ?? ""
        #expect(description.contains(hint), "\(description)")
        #expect(description.hasPrefix("this is not the location of a store, because "))
        #expect(!description.hasSuffix(".") && !description.contains(". "), "one sentence, which others may end")
    }
}
