import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Properties;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams: counts by key, exactly once, with Streams' defaults but for what the job says. */
public class CountByKey {
    /** The schema of workload.mjs: every field must be there and of its type. */
    record Value(int id, String name, String course, double when, boolean ok, String note) {}

    private static final ObjectMapper json = new ObjectMapper();
    private static final ObjectReader values =
            json.readerFor(Value.class)
                    .with(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                    .with(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES);

    public static void main(String[] arguments) throws IOException {
        JsonNode job = json.readTree(arguments[0]);
        boolean isCached = job.path("cache").asBoolean();
        var store =
                job.path("onDisk").asBoolean()
                        ? Stores.persistentKeyValueStore("counts")
                        : Stores.inMemoryKeyValueStore("counts");
        Materialized<String, Integer, ?> counts = Materialized.as(store);
        counts = counts.withKeySerde(Serdes.String()).withValueSerde(Serdes.Integer());
        var meter = new Meter(job.get("records").asLong(), job.get("seconds").asDouble());

        var builder = new StreamsBuilder();
        count(builder, job, isCached ? counts.withCachingEnabled() : counts.withCachingDisabled(), meter);
        var streams = new KafkaStreams(builder.build(), settings(job, isCached));
        streams.setUncaughtExceptionHandler(
                error -> {
                    error.printStackTrace();
                    System.exit(1);
                    return null;
                });
        streams.start();
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static void count(StreamsBuilder builder, JsonNode job, Materialized counts, Meter meter) {
        builder.stream(
                        job.get("topic").asText(),
                        Consumed.with(Serdes.String(), Serdes.serdeFrom((topic, value) -> null, parsed())))
                .peek((key, value) -> meter.record())
                .groupByKey()
                .aggregate(() -> 0, (key, value, count) -> count + 1, counts)
                .toStream()
                .to(job.get("output").asText(), Produced.with(Serdes.String(), Serdes.Integer()));
    }

    private static Deserializer<Value> parsed() {
        return (topic, bytes) -> {
            try {
                return values.readValue(bytes);
            } catch (IOException error) {
                throw new SerializationException(error);
            }
        };
    }

    private static Properties settings(JsonNode job, boolean isCached) {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, job.get("group").asText());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, job.get("brokers").asText());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, job.get("scratch").asText());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put("auto.offset.reset", "earliest");
        if (!isCached) settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, "0");
        return settings;
    }

    /** As meter.mjs: from the first record to the last, or until the time is over. Streams calls it from one thread. */
    private static final class Meter {
        private final long limit;
        private final double seconds;
        private long records;
        private long begun;
        private long cpu;
        private boolean isTold;

        Meter(long limit, double seconds) {
            this.limit = limit;
            this.seconds = seconds;
        }

        void record() {
            if (isTold) return;
            if (records == 0) {
                begun = System.nanoTime();
                cpu = cpuTime();
            }
            records += 1;
            boolean isOver = records % 256 == 0 && (System.nanoTime() - begun) / 1e9 > seconds;
            if (records == limit || isOver) tell();
        }

        private void tell() {
            double took = (System.nanoTime() - begun) / 1e9;
            System.out.printf(
                    Locale.ROOT,
                    "%nRESULT {\"records\":%d,\"seconds\":%f,\"rate\":%f,\"cpuPerMillion\":%f,\"peakMb\":%f}%n",
                    records,
                    took,
                    records / took,
                    (cpuTime() - cpu) / 1e9 / records * 1e6,
                    peakMb());
            System.out.flush();
            // Whoever started this ends it.
            isTold = true;
        }

        private static long cpuTime() {
            var system = ManagementFactory.getOperatingSystemMXBean();
            return ((com.sun.management.OperatingSystemMXBean) system).getProcessCpuTime();
        }

        private static double peakMb() {
            try (var lines = Files.lines(Path.of("/proc/self/status"))) {
                var line = lines.filter(text -> text.startsWith("VmHWM:")).findFirst().orElseThrow();
                return Double.parseDouble(line.replaceAll("\\D", "")) / 1024;
            } catch (IOException error) {
                return Double.NaN;
            }
        }
    }
}
