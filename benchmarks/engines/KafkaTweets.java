// The job of the tweets in Kafka Streams, as its own users would write it: its DSL, Jackson, state in RocksDB with changelogs.
//
//   java -cp … KafkaTweets BOOTSTRAP at_least_once|exactly_once_v2 STATE_FOLDER
//
// Like our worker it decodes, validates, drops repeats by id, keeps each user's figures, publishes clean tweets, and folds seven KPIs
// with an hour of lateness; distinct users are exact. Unlike it: no rankings, no sentiment of its own, no position in its input
// in its records, no records of what was refused or repeated. Each of these makes its work less.

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

public final class KafkaTweets {
  static final Duration MINUTE = Duration.ofMinutes(1), HOUR = Duration.ofHours(1), DAY = Duration.ofDays(1);
  static final ObjectMapper JSON =
      new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);
  static final Pattern ID = Pattern.compile("[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}");
  static final Pattern HASHTAG = Pattern.compile("#(\\w+)", Pattern.UNICODE_CHARACTER_CLASS);
  static final Pattern MENTION = Pattern.compile("@(\\w+)", Pattern.UNICODE_CHARACTER_CLASS);

  record User(String user_id, String username, String display_name, long followers_count, boolean verified) {}

  record Tweet(
      String tweet_id, String text, User user, String created_at, List<String> hashtags, List<String> mentions,
      String language, String region, Double sentiment_score, Double engagement_score,
      long likes, long retweets, long replies) {}

  record Clean(
      String event_id, String event_at, String ingested_at, String text, int text_length, List<String> hashtags,
      List<String> mentions, String language, String region, String user_id, String username, String display_name,
      long followers_count, boolean verified, double sentiment_score, String sentiment_category, long likes,
      long retweets, long replies, long engagement, double engagement_score, String user_first_seen_at,
      int user_tweets_today, boolean new_in_region, boolean new_in_five_minutes, boolean new_today) {}

  record Figures(String first_seen_at, Map<Long, Integer> days) {}

  /** From a raw record to the clean tweet; what is not valid, or a repeat, ends here. */
  static final class Accept implements Processor<String, byte[], String, Clean> {
    private final ObjectReader tweets = JSON.readerFor(Tweet.class);
    private ProcessorContext<String, Clean> context;
    private KeyValueStore<String, byte[]> seen;
    private KeyValueStore<String, Figures> users;
    private WindowStore<String, byte[]> regions, fives, days;

    @Override
    public void init(ProcessorContext<String, Clean> context) {
      this.context = context;
      seen = context.getStateStore("seen");
      users = context.getStateStore("users");
      regions = context.getStateStore("regions");
      fives = context.getStateStore("fives");
      days = context.getStateStore("days");
    }

    @Override
    public void process(Record<String, byte[]> record) {
      Tweet tweet;
      Instant at;
      try {
        tweet = tweets.readValue(record.value());
        at = OffsetDateTime.parse(tweet.created_at).toInstant();
      } catch (IOException | RuntimeException e) {
        return;
      }
      String text = tweet.text == null ? "" : tweet.text.strip();
      if (text.isEmpty() || tweet.user == null || tweet.user.user_id == null || !ID.matcher(tweet.tweet_id).matches()
          || at.toEpochMilli() > record.timestamp() + 60_000) return;
      String id = tweet.tweet_id.toLowerCase();
      if (seen.get(id) != null) return;
      seen.put(id, new byte[] {1});
      long ms = at.toEpochMilli();
      User user = tweet.user;
      Figures known = users.get(user.user_id);
      Map<Long, Integer> tweeted = known == null ? new HashMap<>() : new HashMap<>(known.days);
      long day = Math.floorDiv(ms, DAY.toMillis());
      int today = tweeted.merge(day, 1, Integer::sum);
      if (tweeted.size() > 3) tweeted.remove(tweeted.keySet().stream().min(Long::compare).get());
      String firstSeen = known == null ? at.toString() : known.first_seen_at;
      users.put(user.user_id, new Figures(firstSeen, tweeted));
      String region = tweet.region == null || tweet.region.isBlank() ? "ZZZ" : tweet.region.strip().toUpperCase();
      String language = tweet.language == null || tweet.language.isBlank() ? "und" : tweet.language.strip().toLowerCase();
      long engagement = tweet.likes + tweet.retweets + tweet.replies;
      double mood = tweet.sentiment_score == null ? 0.0 : Math.round(tweet.sentiment_score * 1e4) / 1e4;
      double score = tweet.engagement_score == null
          ? 1000.0 * engagement / Math.max(user.followers_count, 1) : tweet.engagement_score;
      context.forward(record.withTimestamp(ms).withValue(new Clean(
          id, at.toString(), Instant.ofEpochMilli(record.timestamp()).toString(), text,
          text.codePointCount(0, text.length()), tidy(tweet.hashtags, text, HASHTAG, '#', true),
          tidy(tweet.mentions, text, MENTION, '@', false), language, region, user.user_id, user.username,
          user.display_name == null ? user.username : user.display_name, user.followers_count, user.verified, mood,
          mood >= 0.05 ? "positive" : mood <= -0.05 ? "negative" : "neutral", tweet.likes, tweet.retweets,
          tweet.replies, engagement, Math.round(score * 1e4) / 1e4, firstSeen, today,
          isNew(regions, region + " " + user.user_id, ms, MINUTE), isNew(fives, user.user_id, ms, MINUTE.multipliedBy(5)),
          isNew(days, user.user_id, ms, DAY))));
    }

    private static boolean isNew(WindowStore<String, byte[]> store, String key, long ms, Duration window) {
      long start = ms - Math.floorMod(ms, window.toMillis());
      if (store.fetch(key, start) != null) return false;
      store.put(key, new byte[] {1}, start);
      return true;
    }
  }

  static List<String> tidy(List<String> given, String text, Pattern pattern, char mark, boolean lower) {
    List<String> found = given;
    if (given == null || given.isEmpty()) {
      if (text.indexOf(mark) < 0) return List.of();
      found = new ArrayList<>();
      for (Matcher m = pattern.matcher(text); m.find(); ) found.add(m.group(1));
    }
    Set<String> names = new LinkedHashSet<>();
    for (String name : found) {
      String bare = name.strip();
      while (!bare.isEmpty() && bare.charAt(0) == mark) bare = bare.substring(1);
      if (!bare.isEmpty()) names.add(lower ? bare.toLowerCase() : bare);
    }
    return List.copyOf(names);
  }

  /** What a KPI adds up: a few whole numbers. */
  static Serde<long[]> sums() {
    return Serdes.serdeFrom(
        (topic, sums) -> {
          if (sums == null) return null;
          ByteBuffer buffer = ByteBuffer.allocate(8 * sums.length);
          buffer.asLongBuffer().put(sums);
          return buffer.array();
        },
        (topic, bytes) -> {
          if (bytes == null) return null;
          long[] sums = new long[bytes.length / 8];
          ByteBuffer.wrap(bytes).asLongBuffer().get(sums);
          return sums;
        });
  }

  static <T> Serde<T> json(Class<?> kind) {
    ObjectReader reader = JSON.readerFor(kind);
    ObjectWriter writer = JSON.writerFor(kind);
    return Serdes.serdeFrom(
        (topic, value) -> {
          try {
            return value == null ? null : writer.writeValueAsBytes(value);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        },
        (topic, bytes) -> {
          try {
            return bytes == null ? null : reader.<T>readValue(bytes);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  /** One KPI: windows of a size, by one dimension (or none), sums of what `adds` gives, under these names. */
  static void kpi(
      KStream<String, Clean> clean, String name, String topic, Duration size, String dimension,
      Function<Clean, List<String>> by, Function<Clean, long[]> adds, List<String> fields) {
    clean
        .flatMap((k, tweet) -> {
          long[] sums = adds.apply(tweet);
          List<KeyValue<String, long[]>> rows = new ArrayList<>();
          for (String value : by.apply(tweet)) rows.add(KeyValue.pair(value, sums));
          return rows;
        })
        .groupByKey(Grouped.with(name, Serdes.String(), sums()))
        .windowedBy(TimeWindows.ofSizeAndGrace(size, HOUR))
        .aggregate(
            () -> new long[fields.size()],
            (key, more, sums) -> {
              long[] total = sums.clone();
              for (int i = 0; i < total.length; i++) total[i] += more[i];
              return total;
            },
            Materialized.<String, long[], WindowStore<Bytes, byte[]>>as(name)
                .withKeySerde(Serdes.String()).withValueSerde(sums()))
        .toStream()
        .map((Windowed<String> key, long[] sums) -> {
          Map<String, Object> row = new LinkedHashMap<>();
          row.put("window_start_at", OffsetDateTime.ofInstant(key.window().startTime(), ZoneOffset.UTC).toString());
          if (dimension != null) row.put(dimension, key.key());
          for (int i = 0; i < sums.length; i++) row.put(fields.get(i), sums[i]);
          return KeyValue.pair(key.key() + "@" + key.window().start(), row);
        })
        .to(topic, Produced.with(Serdes.String(), json(Map.class)));
  }

  public static void main(String[] arguments) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", arguments[0]);
    settings.put("application.id", "kafka-streams");
    settings.put("processing.guarantee", arguments[1]);
    settings.put("state.dir", arguments[2]);
    settings.put("auto.offset.reset", "earliest");
    settings.put("num.stream.threads", "1");
    settings.put("commit.interval.ms", System.getenv().getOrDefault("BENCH_COMMIT_MS", "1000")); // KPIs come that often
    settings.put("session.timeout.ms", "10000");
    settings.put("internal.leave.group.on.close", true); // so that the next run need not wait for it
    settings.put("statestore.cache.max.bytes", String.valueOf(64 << 20));
    settings.put("producer.compression.type", "lz4");
    settings.put("producer.linger.ms", "20");
    settings.put("producer.batch.size", "262144");
    settings.put("producer.buffer.memory", String.valueOf(64 << 20));

    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("seen"), Serdes.String(), Serdes.ByteArray()));
    builder.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("users"), Serdes.String(), json(Figures.class)).withCachingEnabled());
    Map.of("regions", MINUTE, "fives", MINUTE.multipliedBy(5), "days", DAY).forEach((name, size) ->
        builder.addStateStore(Stores.windowStoreBuilder(
            Stores.persistentWindowStore(name, size.plus(HOUR), size, false), Serdes.String(), Serdes.ByteArray())));
    KStream<String, Clean> clean = builder
        .stream("tweets.raw", Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .process(Accept::new, "seen", "users", "regions", "fives", "days");
    clean.to("tweets.clean", Produced.with(Serdes.String(), json(Clean.class)));

    String kpis = "tweets.kpi.";
    kpi(clean, "volume", kpis + "tweet_volume_by_region", MINUTE, "region", t -> List.of(t.region),
        t -> new long[] {1, t.engagement, t.new_in_region ? 1 : 0}, List.of("tweets", "engagement", "users"));
    kpi(clean, "metrics", kpis + "tweet_metrics_by_language", MINUTE, "language", t -> List.of(t.language),
        t -> new long[] {1, t.engagement, Math.round(t.sentiment_score * 1e4), t.text_length, t.likes, t.retweets, t.replies},
        List.of("tweets", "engagement", "sentiment", "text_length", "likes", "retweets", "replies"));
    Function<Clean, long[]> popularity = t -> new long[] {1, t.engagement};
    kpi(clean, "tags-minute", kpis + "popular_hashtags_by_minute", MINUTE, "hashtag", t -> t.hashtags, popularity,
        List.of("tweets", "engagement"));
    kpi(clean, "tags-hour", kpis + "popular_hashtags_by_hour", HOUR, "hashtag", t -> t.hashtags, popularity,
        List.of("tweets", "engagement"));
    Function<Clean, List<String>> all = t -> List.of("");
    kpi(clean, "active-5", kpis + "active_users_by_5_minutes", MINUTE.multipliedBy(5), null, all,
        t -> new long[] {t.new_in_five_minutes ? 1 : 0, 1}, List.of("users", "tweets"));
    kpi(clean, "active-day", kpis + "active_users_by_day", DAY, null, all,
        t -> new long[] {t.new_today ? 1 : 0, 1, t.engagement}, List.of("users", "tweets", "engagement"));
    kpi(clean, "mood", kpis + "mood_by_minute", MINUTE, null, all,
        t -> new long[] {1, Math.round(t.sentiment_score * 1e4), t.engagement}, List.of("tweets", "sentiment", "engagement"));

    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    streams.setUncaughtExceptionHandler(e -> {
      e.printStackTrace();
      return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
    });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }
}
